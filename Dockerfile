# docker build -t twhin-stream:0.1.0 .
#
# The base is pinned by its whole version. A digest would pin the very bytes: look it up where you build, and give it as
# --build-arg NODE_IMAGE=node:24.21.0-bookworm-slim@sha256:…
# glibc, not Alpine: rocksdb-native has no build for musl.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without the workspace tools/node24: the image has Node.
RUN npm ci --workspaces=false --no-audit --no-fund
COPY tsconfig.json ./
COPY tools/build.js tools/build.tsconfig.json ./tools/
COPY types ./types
COPY topics ./topics
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# rocksdb-native brings its library for every platform; one is used.
RUN npm ci --omit=dev --workspaces=false --no-audit --no-fund \
  && find node_modules/rocksdb-native/prebuilds -mindepth 1 -maxdepth 1 \
    ! -name "linux-$(node -p process.arch)" -exec rm -r {} +

FROM ${NODE_IMAGE}
# What rocksdb-native links to beside glibc; the image has the second for Node, which a later one might not.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libatomic1 libstdc++6 \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner=node --group=node /var/lib/twhin \
  && ln -s /app/bin/twhin.js /usr/local/bin/twhin
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE CHANGELOG.md README.md ./
COPY bin ./bin

# Memory that would otherwise grow little by little, which looks like a leak on a dashboard: the young generation of a heap, to
# 128 MiB, what the allocator keeps for each of RocksDB's threads, and the gaps that large blocks leave in its arenas.
ENV NODE_OPTIONS=--max-semi-space-size=16 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072
# All addresses, for a port that nobody reaches unless it is published. Give the state a volume.
ENV NODE_ENV=production TWHIN_STATE=/var/lib/twhin TWHIN_HTTP=0.0.0.0:8077
EXPOSE 8077
# By number, so that Kubernetes can tell that it isn't root.
USER 1000:1000

# No init before it. Process 1 gets no signal that it has not asked for: `twhin run` and `replay` ask for SIGTERM and
# SIGINT. It starts no processes, so there are none to reap. The other commands have nothing to finish when stopped; where
# they should end at once, `docker run --init`.
ENTRYPOINT ["node", "/app/bin/twhin.js"]
CMD ["run"]
# Kubernetes has its own probes and ignores this one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8077/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
