"""Turn a record of runs on halves into what is committed of it: a table of all approaches, and logits in float16 of some.

usage: python tools/halves.py RECORD TABLE.csv [FOLDER [APPROACH,APPROACH,...]]"""
import shutil, sys
from pathlib import Path
import numpy as np, pandas as pd
from scipy.stats import t as student
from machine_unlearning.attack import passes
from machine_unlearning.audit.result import audit
from machine_unlearning.core import write_json
from machine_unlearning.layout import approaches, files, members_file, read_about

def means(metrics, original):
    "Means over the runs, half their 95 % intervals, and the cost as a share of a training"
    kinds = [k for k in metrics if k.endswith(('_mae', '_accuracy'))]
    half = student.ppf(.975, len(metrics)-1)*metrics[kinds].std()/len(metrics)**.5
    return dict(metrics[kinds].mean()) | dict(half.add_suffix('_half')) | dict(cost=passes(metrics)/passes(original))

def table(record):
    "What the audit says of each approach, beside its means"
    rows = audit(record)[0].drop(columns='verdict').dropna(axis=1, how='all')
    metrics = {n: pd.read_csv(files(record, n).metrics) for n in rows.approach}
    return pd.concat([rows, pd.DataFrame([means(metrics[n], metrics['original']) for n in rows.approach])], axis=1)

def pack(source, target, names):
    "Copy logits as float16, and of the rest what the audit reads"
    target.mkdir(parents=True)
    shutil.copy(members_file(source), target)
    about = read_about(source)
    write_json(files(target).about, {k: about[k] for k in ('design', 'kind', 'runs', 'candidates', 'drawn', 'pool')})
    for n in names:
        a,b,about = files(source, n), files(target, n), read_about(source/n)
        b.logits.parent.mkdir()
        np.save(b.logits, np.load(a.logits).astype(np.float16))
        shutil.copy(a.metrics, b.metrics)
        kept = 'approach title order kind models settings originals versions devices cost'.split()
        write_json(b.about, {k: about[k] for k in kept if k in about})

def main(record, out, folder=None, names=''):
    table(Path(record)).round(5).to_csv(out, index=False)
    if folder: pack(Path(record), Path(folder), names.split(',') if names else approaches(record))

if __name__ == '__main__': main(*sys.argv[1:])
