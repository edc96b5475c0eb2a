"""Prints what numpy and pyarrow read of files that `twhin export` and `twhin candidates` wrote, as JSON.

    python read_back.py vectors NPY PARQUET CODES_NPY CODES_PARQUET TYPE   # folders
    python read_back.py lists FILE.parquet
"""
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq


def names(folder, kind):
    return (folder / f"{kind}.txt").read_text().splitlines()


def decoded(folder, codes):
    """By the words of model.json."""
    quantised = json.loads((folder / "model.json").read_text())["quantised"]
    codebooks = np.load(folder / quantised["codebooks"].split(":")[0].replace("TYPE", kind))
    assert codebooks.dtype == np.float32 and codes.dtype == np.uint8
    rows = range(len(codes))
    found = [eval(quantised["decode"].split(" = ")[1], {"np": np, "concatenate": np.concatenate, "codebooks": codebooks, "codes": codes, "i": i}) for i in rows]
    return np.array(found, dtype=np.float32).reshape(len(codes), -1)


def result(keys, matrix, dtype):
    return {"dtype": str(dtype), "vectors": dict(zip(keys, np.asarray(matrix).tolist(), strict=True))}


if sys.argv[1] == "lists":
    table = pq.read_table(sys.argv[2])
    groups = pq.ParquetFile(sys.argv[2]).num_row_groups
    first, last = table.slice(0, 4).to_pylist(), table.slice(len(table) - 1).to_pylist()
    schema = {field.name: str(field.type) for field in table.schema}
    print(json.dumps({"schema": schema, "rows": len(table), "groups": groups, "first": first, "last": last}))
else:
    npy, parquet, codes_npy, codes_parquet = map(Path, sys.argv[2:6])
    kind = sys.argv[6]
    out = {}
    matrix = np.load(npy / f"{kind}.npy")
    out["npy"] = result(names(npy, kind), matrix, matrix.dtype)
    table = pq.read_table(parquet / f"{kind}.parquet")
    out["parquet"] = result(table["entity"].to_pylist(), np.array(table["vector"].to_pylist(), dtype=np.float32), table.schema.field("vector").type)
    codes = np.load(codes_npy / f"{kind}.codes.npy")
    out["codes npy"] = result(names(codes_npy, kind), decoded(codes_npy, codes), codes.dtype)
    table = pq.read_table(codes_parquet / f"{kind}.parquet")
    column = table["codes"].combine_chunks()
    flat = np.frombuffer(b"".join(column.to_pylist()), dtype=np.uint8).reshape(len(table), -1)
    out["codes parquet"] = result(table["entity"].to_pylist(), decoded(codes_parquet, flat), column.type)
    print(json.dumps(out))
