/**
 * Every error code, once: what happened, what to do, and the class, which says what the caller does next.
 * `docs/errors.md` is generated from this list. A code that nothing throws fails a test.
 */
export interface ErrorEntry {
  readonly class: ErrorClass;
  /** One plain sentence. The message at the throw site adds the values seen. */
  readonly happened: string;
  /** One or two plain sentences. */
  readonly remedy: string;
}

/**
 * retryable: try again, with a bound and a backoff. fatal: stop. usage: nothing was started, exit code 2.
 * bad-event: one record goes to the dead letters. bug: a caller inside this program broke a rule.
 */
export type ErrorClass = 'retryable' | 'fatal' | 'usage' | 'bad-event' | 'bug';

const entry =
  <C extends ErrorClass>(of: C) =>
  (happened: string, remedy: string) => ({ class: of, happened, remedy });
const retryable = entry('retryable');
const fatal = entry('fatal');
const usage = entry('usage');
const badEvent = entry('bad-event');
const bug = entry('bug');

const REPORT = 'This is a fault of the program: report the message and the lines that --verbose prints.';
const REBUILD =
  'Run twhin check. Then restore a backup or, without one, replay the topics into a new store, and promote that store.';

const COMMAND_LINE = {
  compare: usage(
    'No graph has both stores that are to be compared, or several graphs have them.',
    'Give the names of existing stores, and name the graph with --graph.',
  ),
  configuration: usage(
    'The configuration cannot be read, or values in it are wrong.',
    'Correct every line that the message lists, and start again.',
  ),
  edges: usage(
    'The edges that twhin serve is asked to remember do not fit into the memory of this process.',
    'Lower --edges, or give the process more memory.',
  ),
  entity: usage(
    'The text is not the name of an entity.',
    'Write TYPE:ID, such as user:123, with an id of at most 256 bytes.',
  ),
  evaluate: usage('Options of the evaluation are wrong.', 'Correct every line that the message lists.'),
  'evaluate-empty': usage(
    'The stream is empty, or has nothing to foretell: no known user has a new edge to a known entity in its held-back part.',
    'Read a longer range, or hold back a larger share with --holdout.',
  ),
  'evaluate-file': usage(
    'Lines of the file that is to be evaluated hold no event of its topic.',
    'Correct or remove the lines that the message names, and check --format and --topic.',
  ),
  'tune-fixed': usage(
    'Every setting that trials vary is fixed.',
    'Leave out some of the settings given with --set.',
  ),
  export: fatal(
    'The vectors of an evaluation could not be written.',
    'Free space or repair the disk, or name another folder, and give the same command again.',
  ),
  'export-exists': usage(
    'The folder of --export holds something already, or can not be written.',
    'Name a folder that does not exist yet.',
  ),
  parts: usage(
    'Vectors can not be quantised as asked: their numbers do not divide into so many parts, or the format holds no codes.',
    'Give --pq one of the numbers that the message names, and --format npy or parquet.',
  ),
  triples: usage(
    'A file of triples has lines that are no triples, or a part that has to be there is empty.',
    'Correct the lines that the message names. The columns are head, relation and tail, with tabs between them.',
  ),
  exists: usage(
    'The configuration file that init would write exists already.',
    'Edit the existing file, or move the file away first.',
  ),
  graph: usage(
    'The configuration has no graph of that name, or the command needs the name of one graph.',
    'Give one of the graphs that the message lists with --graph.',
  ),
  reshard: usage(
    'The number after --to is the number of shards that the graph has already.',
    'Leave graphs.NAME.shards in the configuration as it is, and give the number to come with --to.',
  ),
  sharded: usage(
    'The command can not do its work on a graph that is cut into shards, or on one of its shards.',
    'The message says why, and what to do: name one shard with --graph, or give the command a configuration in which the graph has one shard, for example.',
  ),
  question: usage(
    'A list, a rank, neighbours or a search were asked for that no served graph can answer.',
    'Ask as the message says: it names the field, and the types, relations, surfaces or graphs that are possible.',
  ),
  out: usage(
    'The output file can not be written.',
    'Give --out a path in a folder that exists and can be written to.',
  ),
  ids: usage(
    'The file of ids can not be used.',
    'Give --ids a file with the id of an entity on each line, or leave it out: then every entity of the type has a list.',
  ),
  count: usage('A list was asked for whose length is no whole number from 1.', 'Give k such a number.'),
  http: usage('The HTTP address is not valid.', 'Write HOST:PORT or off after --http or in TWHIN_HTTP.'),
  'not-read': retryable(
    'Lists were asked for before the vectors are read, or after the reading was stopped.',
    'Await ready() of serveGraphs first.',
  ),
  interrupted: retryable(
    'The command was interrupted by a signal.',
    'Give the same command again. A replay continues from its last commit, and the message says whether a store was promoted.',
  ),
  into: usage(
    'A replay was given no store name, or the name of a store that a replay must not write.',
    'Give another name with --into, such as shadow.',
  ),
  'no-file': usage('The event file cannot be opened.', 'Check the path and the permissions of the file.'),
  'csv-header': usage('The header of the CSV file names a column twice.', 'Rename one of the two columns.'),
  unreadable: fatal(
    'Reading the event file failed part of the way through.',
    'Repair the file and feed it again: events that were sent before count once.',
  ),
  promote: usage(
    'The store that was named cannot be promoted.',
    'The message says why: the store is missing, live already, or a replay that has not finished.',
  ),
  publish: usage(
    'The topic after --publish cannot take the vectors of this replay.',
    'Name a compacted topic that is empty, or a topic that does not exist yet.',
  ),
  range: usage(
    'The range of the replay is not in the log.',
    'Correct the bounds that the message lists. --dry-run shows what the log holds.',
  ),
  replay: usage('Options of the replay are wrong.', 'Correct every line that the message lists.'),
  reread: usage('No graph reads the topic after --reread.', 'Give one of the topics that the message lists.'),
  restore: usage(
    'The options of restore contradict each other.',
    'Give either the folder of a backup, or --from-topic.',
  ),
  set: usage('The text after --set is not a setting.', 'Write key=value, such as dim=64.'),
  standby: usage(
    'A standby follows without an end, so --standby and --until-caught-up exclude each other.',
    'Leave out one of the two options.',
  ),
  'store-name': usage(
    'The text is not a valid name for a store.',
    'Use lower-case letters, digits, - and _. The name live is reserved.',
  ),
  timeout: fatal(
    'The brokers did not answer within the time limit of the command.',
    'Check that the brokers run and that KAFKA_BROKERS names them.',
  ),
  topic: usage(
    'The topic after --topic does not exist in the configuration or does not fit the other options.',
    'Give one of the topics that the message lists.',
  ),
  'topic-definition': usage(
    'A call of defineTopic has a name that Kafka does not allow, or another wrong field.',
    'Correct every field that the message lists.',
  ),
  'unknown-entity': fatal(
    'No store that was searched holds the entity.',
    'Check the spelling. The entity may have no events yet, or it was erased.',
  ),
} as const satisfies Entries;

const KAFKA = {
  'broker-answered': retryable(
    'A broker answered the request with an error.',
    'The request is repeated. The message has the answer of the broker.',
  ),
  'broker-refused': fatal(
    'The brokers refused the credentials.',
    'Check the SASL mechanism, the user name and the password.',
  ),
  'broker-too-old': fatal(
    'The brokers run a release of Kafka that is too old for a request.',
    'Upgrade the brokers. The message names the request.',
  ),
  'broker-unreachable': retryable(
    'No broker answers the request.',
    'The request is repeated until a broker answers. Check that the brokers run and that KAFKA_BROKERS names them.',
  ),
  'token-file': usage(
    'The file with the OAuth token cannot be read.',
    'Check the path in the configuration and the permissions of the file.',
  ),
  'ca-file': usage(
    'The file with the certificate authority cannot be read.',
    'Check the path in the configuration and the permissions of the file.',
  ),
  'client-fault': fatal('The Kafka client failed in this process; the brokers are not the cause.', REPORT),
  'damaged-batch': fatal(
    'Records in a partition cannot be decoded.',
    'Look at the disk of the broker. The message names the first offset after the damage.',
  ),
  'fetch-refused': retryable(
    'The leader of a partition gave no records.',
    'The request is repeated. Look at the brokers if this goes on.',
  ),
  'missing-topic': fatal('The topic to feed does not exist.', 'Create the topic with twhin topics apply.'),
  'no-leader': retryable(
    'A partition has no leader.',
    'The request is repeated. Bring the missing brokers back.',
  ),
  'no-whole-batch': retryable(
    'The leader of a partition gave no whole batch, although records are there.',
    'The request is repeated. Look at the log of the broker if this goes on.',
  ),
  'no-coordinator': retryable(
    'No broker coordinates the transactions of the embeddings topic.',
    'The request is repeated. Bring the brokers back, or grant WRITE on the transactional id in the message.',
  ),
  'not-acknowledged': retryable(
    'The brokers did not acknowledge messages within the time limit.',
    'The messages are sent again. Look at the brokers if this goes on.',
  ),
  'not-authorized': fatal(
    'The brokers deny the user an operation.',
    'Grant the operation that the message names to the user.',
  ),
  offset: fatal(
    'An offset is larger than 2^53.',
    'A log with such offsets cannot be read. Move to a new topic.',
  ),
  'offset-out-of-range': fatal(
    'The next offset to read is outside of what the log holds.',
    'Raise retention.ms. Then start once with --reread TOPIC to accept the loss, or restore a newer backup.',
  ),
  'partition-missing': fatal(
    'A partition that is to be read does not exist.',
    'Check whether the topic was deleted and recreated with fewer partitions.',
  ),
  'partition-unknown': retryable(
    'The brokers do not know a partition at the moment.',
    'The request is repeated. Look at the brokers if this goes on.',
  ),
  'record-format': fatal(
    'The topic holds records in the format of Kafka before 0.11.',
    'Copy the events into a new topic with a current producer.',
  ),
  refused: retryable(
    'The brokers answer and refuse what was sent.',
    'The send is repeated. The message says what to raise or to grant.',
  ),
  'topic-missing': retryable(
    'A topic does not exist.',
    'The request is repeated. Create the topic with twhin topics apply.',
  ),
  'topic-remade': fatal(
    'A topic was deleted and recreated: its offsets mean other records than before.',
    'twhin run: start once with --reread TOPIC to keep what was learned and to read the new topic from its start. twhin serve: start it again.',
  ),
  'topic-slow': retryable(
    'A topic was created, and its partitions have no leaders yet.',
    'Give the command again. Look at the brokers if this goes on.',
  ),
  'topics-missing': fatal(
    'Topics that the configuration needs do not exist.',
    'Run twhin topics apply: it creates the topics, and says what to do about topics of others.',
  ),
} as const satisfies Entries;

const GROUP = {
  fenced: fatal(
    'Another process took over the graph while this process was frozen or cut off.',
    'Start this process again, on a store of its own as a standby. Look for what froze it.',
  ),
  'group-in-use': fatal(
    'Another process leads the consumer group.',
    'Stop the other process, or start this one with --standby and a TWHIN_STATE of its own.',
  ),
  started: fatal('A process asked twice to lead the same group.', REPORT),
  stopped: retryable('The part was stopped while work was waiting.', 'Nothing to do: the process is ending.'),
} as const satisfies Entries;

const STORE = {
  'image-damaged': fatal(
    'The start image that the last stop wrote is damaged; the image was removed.',
    'Start again: the store is read instead. Look at the disk if this happens again.',
  ),
  'image-edges': fatal('The start image has no room for the live edges.', REPORT),
  layout: fatal('The graph has no relation or entity type of that name.', REPORT),
  'live-store': fatal(
    'The file that names the live store cannot be read, or does not fit the configuration.',
    'Put the content that the message gives into the file, or correct the configuration.',
  ),
  'store-damaged': fatal('The content of the store contradicts itself.', REBUILD),
  'store-format': fatal('The store was made by another version of twhin.', REBUILD),
  'store-denied': fatal(
    'The user may not write the folder of the store.',
    'Run the command as the user of the updater, or mount the disk writable.',
  ),
  'store-exists': fatal(
    'A store exists in that place, and no store is ever replaced.',
    'Give a name that is not in use with --into, then promote the new store.',
  ),
  'store-graph': fatal(
    'The store belongs to another graph.',
    'Give the folder its name back, or point TWHIN_STATE to the folder that holds the store of this graph.',
  ),
  'store-in-use': fatal(
    'Another process has the store open.',
    'Stop that process, or give this one a TWHIN_STATE of its own and start it with --standby.',
  ),
  'store-missing': fatal(
    'The folder holds no store.',
    'Check TWHIN_STATE and the name of the store. twhin run makes the first store.',
  ),
  'reshard-check': fatal(
    'The stores that twhin reshard made do not hold what the present stores hold; they were removed.',
    'The present stores are as they were. Run twhin check on them, and give the command again.',
  ),
  'reshard-mixed': fatal(
    'The stores of the shards of a graph are not of one training, so that no other stores can be made from them.',
    'The message says what differs: bring the stores that differ up to the others, with --reread or from a backup.',
  ),
  'reshard-unfinished': fatal(
    'An interrupted twhin reshard left a part of the stores for this number of shards.',
    'Set the number of shards back to what it was, give the command again, and set the new number once it is done.',
  ),
  'shard-count': fatal(
    'The exchange topic or the edges topic of a graph has another number of partitions than the graph has shards.',
    'Set the number of shards back to the number of partitions. To change the number, use twhin reshard, delete both topics and run twhin topics apply.',
  ),
  'shard-model': fatal(
    'Another shard of the graph sends vectors of another model.',
    'Give every shard the same configuration. To change the model, replay the graph with the new one and promote that.',
  ),
  'store-shard': fatal(
    'The store holds another shard of the graph, or was made with another number of shards.',
    'Put the number of shards back, and change it with twhin reshard.',
  ),
  'store-model': fatal(
    'The store was trained with another model than the configured one.',
    'Put the configuration back, or replay with the new configuration and promote that store.',
  ),
  'store-moving': retryable(
    'The store changed each time it was opened for reading.',
    'Give the command again.',
  ),
  'store-open': fatal('The store cannot be opened.', REBUILD),
  'store-origin': fatal(
    'The file that says how the store was made cannot be read.',
    'Make the store again: restore a backup, or replay the topics.',
  ),
  'store-read': fatal('The store cannot be read.', REBUILD),
  'store-thread': fatal('The thread of the store failed.', REPORT),
  'store-write': fatal(
    'The store cannot be written; nothing of the commit was kept.',
    'Free space or repair the disk, and start again: the events since the last commit are read again.',
  ),
} as const satisfies Entries;

const BACKUP = {
  'backup-damaged': fatal(
    'A file of the backup is not as it was written.',
    'Use an older backup or another copy, or replay the topics.',
  ),
  'backup-empty': fatal(
    'The store has no commit yet, so there is nothing to back up.',
    'Back up after the first commit.',
  ),
  'backup-entry': fatal('An entry of the store is too large for a backup.', REBUILD),
  'backup-folder': usage(
    'The folder for the backup lies within the state folder, or holds other files where the backup of a graph goes.',
    'Name another folder, best on another disk.',
  ),
  'backup-format': fatal(
    'Another version of the program wrote the backup.',
    'Restore the backup with the version that wrote it.',
  ),
  'backup-graph': fatal(
    'The backup is that of another graph.',
    'Put the folder of the backup back under its own name.',
  ),
  'backup-inconsistent': fatal(
    'The head of the store and its entries disagree; nothing was backed up.',
    REBUILD,
  ),
  'backup-missing': fatal(
    'The folder holds no backup of the graph.',
    'Check the folder. The message lists the graphs that were found.',
  ),
  'backup-read': fatal('A file of the backup cannot be read.', 'Check the permissions and the disk.'),
  'backup-write': fatal(
    'The backup cannot be written; the backup before it is unchanged.',
    'Free space or repair the disk, and back up again.',
  ),
  'restore-check': fatal(
    'The restored store failed its check and was not put in place.',
    'Use another backup, or replay the topics.',
  ),
  'topic-empty': fatal(
    'The embeddings topic holds no vector of the graph.',
    'Check the name of the topic, or replay the event topics.',
  ),
  'topic-model': fatal(
    'The embeddings topic holds vectors of other models than the configured one.',
    'Put the configuration back that published the vectors, or replay the event topics.',
  ),
  'topic-record': fatal(
    'A record of the topic is not a published vector; nothing was restored.',
    'Check the name of the topic.',
  ),
} as const satisfies Entries;

const REPLAY = {
  promotion: fatal(
    'The promotion did not go through, or did not finish.',
    'The message says which store is live. The runbook lists the cases.',
  ),
  'promotion-mixed': fatal(
    'The stores of the shards of a graph are not of one training, or not all of them are there.',
    'The message says which differ. Promote the same store in all shards, or go back in all with --rollback.',
  ),
  'publish-taken': fatal(
    'Another replay publishes to the same topic.',
    'Give each replay a topic of its own with --publish.',
  ),
  'replay-beyond': usage(
    'The store was run on after its replay ended.',
    'Give another name with --into, or begin anew with --restart.',
  ),
  'replay-differs': usage(
    'The store of that name is a replay with other options.',
    'Repeat the options of the first command, give another name with --into, or begin anew with --restart.',
  ),
  'replay-gone': fatal(
    'Retention deleted records that the replay still has to read.',
    'Begin anew with --restart and a later start.',
  ),
  'replay-into': usage('The store of that name was not made by a replay.', 'Give another name with --into.'),
  'replay-record': fatal(
    'The file that says what the replay reads cannot be read.',
    'Remove the folder that the message names and replay again, or give another name with --into.',
  ),
  'replay-store': fatal('The replay left no store.', 'Replay again with --restart.'),
  scorer: fatal(
    'A store was trained with a scorer that this version does not have.',
    'Compare with the version that trained the store.',
  ),
} as const satisfies Entries;

const TRAINING = {
  'kernel-outdated': fatal(
    'The compiled kernel does not fit the sources.',
    'Compile the kernel again with npm run kernel.',
  ),
  'kernel-settings': usage(
    'Settings of the model or the training are out of range.',
    'Correct every line that the message lists.',
  ),
  'kernel-workspace': fatal('The table keeps too little room for the kernel.', REPORT),
  'known-edges': fatal(
    'The graph has more live edges than limits.maxKnownEdges.',
    'Raise the limit where memory allows, or cut the graph into shards, and start again. Nothing is lost.',
  ),
  'stepper-dead': fatal(
    'A training thread died.',
    'Start again: the process continues from its last commit.',
  ),
  'stepper-failed': fatal('A training step failed.', REPORT),
  'stepper-stuck': fatal(
    'A training thread did not finish its step.',
    'Start again: the process continues from its last commit. Look for what keeps the thread from running.',
  ),
  'table-full': fatal(
    "The graph has more entities than limits.maxEntities, in a shard together with its copies of other shards' entities.",
    'Raise the limit and start again, or cut the graph into more shards.',
  ),
  'table-size': fatal(
    'A table of limits.maxEntities rows does not fit into the 4 GiB of a WebAssembly memory.',
    'Lower limits.maxEntities or dim.',
  ),
  'tfjs-missing': usage(
    'The setting training.kernel is tfjs, and TensorFlow.js is not installed.',
    'Install @tensorflow/tfjs-node, or set training.kernel to wasm.',
  ),
  'tfjs-unusable': fatal(
    'TensorFlow.js is installed and cannot be loaded.',
    'Install @tensorflow/tfjs-node again, or set training.kernel to wasm.',
  ),
  threads: usage(
    'The kernel runs in one thread only.',
    'Set training.threads to 1, or training.kernel to wasm.',
  ),
  'trainer-broken': fatal(
    'An earlier batch failed half-way.',
    'Start again: the process continues from its last commit.',
  ),
  'trainer-dead': fatal(
    'The thread of the trainer died.',
    'Start again: the process continues from its last commit.',
  ),
  'trainer-failed': fatal('The trainer failed for a reason that is not known.', REPORT),
  'trainer-not-started': fatal('The trainer was used before its start.', REPORT),
  'trainer-started': fatal('The trainer was loaded after its start.', REPORT),
  'trainer-state': fatal('The loaded rows and the stored training state do not belong together.', REBUILD),
  'trainer-stopped': fatal('The trainer was used after its stop.', REPORT),
  'vector-not-finite': fatal(
    'A vector that was to be ranked has a number that is not finite.',
    'Find the writer of the vector: twhin check looks for such vectors in a store.',
  ),
} as const satisfies Entries;

const PROCESS = {
  'scanner-dead': fatal(
    'A thread that scans vectors died.',
    'Start twhin serve again: it reads the topics from their start. If a thread dies again, look for what limits the memory of the process.',
  ),
  'scanner-failed': fatal('A scan of the vectors failed for a reason that is not known.', REPORT),
  busy: fatal(
    'Too many requests are waiting to be answered.',
    'Ask again a second later, or run more processes.',
  ),
  'no-lists': fatal(
    'There is no entity to make a list for.',
    'Look at the message: the graph has no vector of that type yet, or the file of --ids is empty.',
  ),
  'http-listen': fatal(
    'The HTTP server cannot listen on its address.',
    'Give another address with --http HOST:PORT or TWHIN_HTTP, or --http off.',
  ),
  lookup: fatal(
    'The lookup of an entity failed or took too long.',
    'Ask again. twhin show looks the entity up without the limit.',
  ),
  'lookup-thread': fatal('The file of the lookup thread was loaded outside of a thread.', REPORT),
  shape: bug('Lengths or shapes that must agree do not.', REPORT),
  updater: fatal('The updater stopped for a reason that is not known.', REPORT),
} as const satisfies Entries;

const EMBEDDED_LOG = {
  'file-log': fatal(
    'A file of the embedded log cannot be read.',
    'Check the folder, its permissions and the disk.',
  ),
  'lock-file': fatal(
    'A lock file cannot be written.',
    'Check the folder, its permissions and the free space.',
  ),
  locked: retryable(
    'Another process holds the lock.',
    'Wait for the process that the message names, or stop it.',
  ),
  'not-appended': retryable(
    'Messages could not be appended to the embedded log.',
    'The messages are sent again. Free space if the disk is full.',
  ),
  'short-write': retryable(
    'The disk took only a part of what was written.',
    'The write is repeated. Free space if the disk is full.',
  ),
} as const satisfies Entries;

const CLONE = {
  'broker-start': retryable(
    'The local Kafka broker did not start.',
    'The message has the last lines of the broker.',
  ),
  demo: usage('An option of the demo is wrong.', 'npm run demo -- --help lists the options.'),
  'foreign-broker': retryable(
    'The broker was not started here.',
    'Stop and restart that broker where it was started.',
  ),
  'no-broker': retryable(
    'No Kafka broker can be started on this machine.',
    'Install Java 17 and Maven, or Docker, or set KAFKA_BROKERS. The demo runs without a broker on its embedded log.',
  ),
} as const satisfies Entries;

/**
 * Why one record cannot be used: the `code` of its dead letter. The codes are part of the wire contract; their order
 * of precedence is in `topics/reasons.ts`.
 */
export const BAD_EVENTS = {
  'null-value': badEvent('The record has no value.', 'Send the event as JSON in the value.'),
  'too-large': badEvent(
    'The value has more bytes than limits.valueBytes allows.',
    'Send only the fields of the event, or raise the limit.',
  ),
  'not-json': badEvent('The value is not JSON, or not UTF-8.', 'Encode the event as JSON in UTF-8.'),
  'too-deep': badEvent(
    'Objects and arrays are nested deeper than limits.depth allows.',
    'Send a flat event, or raise the limit.',
  ),
  'forbidden-field': badEvent('A field is called __proto__.', 'Rename the field.'),
  'wrong-shape': badEvent(
    'The event is not an object, lacks a field, or has a field of another JSON type.',
    'Send the fields of the topic. The reason names the field and the value.',
  ),
  'unknown-action': badEvent(
    'The topic does not know the action; case counts.',
    'Send one of the actions of the topic.',
  ),
  'empty-id': badEvent('An id has no letters, or white space only.', 'Send the id of the entity.'),
  'id-too-long': badEvent('An id has more than 256 bytes.', 'Send a shorter id.'),
  'control-characters': badEvent(
    'An id contains control characters or half a surrogate pair.',
    'Remove the characters from the id.',
  ),
  'unsafe-integer': badEvent('An id is a number that is not a safe integer.', 'Send the id as text.'),
  'bad-instant': badEvent(
    'The field at is not an instant.',
    'Send milliseconds since 1970 as a number, or an ISO date with its zone.',
  ),
  'looks-like-seconds': badEvent('The field at seems to be in seconds.', 'Send milliseconds.'),
  'in-the-future': badEvent(
    'The event happened more than a day after the Kafka timestamp of its record.',
    'Correct the clock of the sender.',
  ),
  'mapping-failed': badEvent(
    'The code of a configured topic failed, or made an edge without a valid id or time, or with a relation or entity types that the configuration does not have.',
    'Correct the topic definition in twhin.config.ts.',
  ),
  'unknown-topic': badEvent(
    'The graph does not read the topic of the record.',
    'Add the topic to the graph in twhin.config.ts.',
  ),
} as const satisfies Entries;

type Entries = Readonly<Record<string, ErrorEntry>>;

export const ERRORS = {
  ...COMMAND_LINE,
  ...KAFKA,
  ...GROUP,
  ...STORE,
  ...BACKUP,
  ...REPLAY,
  ...TRAINING,
  ...PROCESS,
  ...EMBEDDED_LOG,
  ...CLONE,
  ...BAD_EVENTS,
};

/** The errors by subject, in the order of the page. */
export const SUBJECTS: readonly (readonly [title: string, entries: Entries])[] = [
  ['Command line and configuration', COMMAND_LINE],
  ['Kafka', KAFKA],
  ['Consumer group', GROUP],
  ['Store', STORE],
  ['Backup and restore', BACKUP],
  ['Replay and promotion', REPLAY],
  ['Training', TRAINING],
  ['Process', PROCESS],
  ['Embedded log', EMBEDDED_LOG],
  ['Tools of a clone', CLONE],
];

export type ErrorCode = keyof typeof ERRORS;

/** The codes of one class. */
export type CodeOf<C extends ErrorClass> = {
  [Code in ErrorCode]: (typeof ERRORS)[Code]['class'] extends C ? Code : never;
}[ErrorCode];

export function isCodeOf<C extends ErrorClass>(code: ErrorCode, wanted: C): code is CodeOf<C> {
  return ERRORS[code].class === wanted;
}
