"""Turn a record into what is committed of it: a table of all approaches, and logits in float16 of some.

usage: python tools/committed.py RECORD TABLE.csv [FOLDER [APPROACH,APPROACH,...]]"""
import shutil, sys
from pathlib import Path
import numpy as np, pandas as pd
from scipy.stats import t as student
from machine_unlearning.attack import passes
from machine_unlearning.audit.result import audit
from machine_unlearning.core import write_json
from machine_unlearning.layout import approaches, files, members_file, read_about

most = 1000 # control examples, drawn with seed 0
kept = {'runs': 'design kind runs candidates drawn pool'.split(), # of record.json: of runs on halves, retrained models, methods
    'retain': 'schema approach kind models versions devices cost forget random_split'.split(),
    'method': 'approach title order kind models settings originals versions devices cost'.split()}

def means(metrics, once):
    "Means over the models, half their 95 % intervals, and the cost as a share of a training"
    kinds = [k for k in metrics if k.endswith(('_mae', '_accuracy'))]
    half = student.ppf(.975, len(metrics)-1)*metrics[kinds].std()/len(metrics)**.5
    return dict(metrics[kinds].mean()) | dict(half.add_suffix('_half')) | dict(cost=passes(metrics)/once)

def table(record):
    "What the audit says of each approach, beside its means"
    rows = audit(record)[0].drop(columns='verdict').dropna(axis=1, how='all')
    known = {n: pd.read_csv(files(record, None if n == 'baseline' else n).metrics) for n in rows.approach}
    once = passes(known['baseline' if 'baseline' in known else 'original'])
    return pd.concat([rows, pd.DataFrame([means(known[n], once) for n in rows.approach])], axis=1)

def thin(old, new):
    "Copy logits as float16; of control examples a part"
    z = np.load(old, mmap_mode='r')
    few = old.name.startswith('control') and len(z) > most
    np.save(new, z[np.sort(np.random.default_rng(0).permutation(len(z))[:most])].astype(np.float16) if few else z.astype(np.float16))

def pack(a, b, about, keys):
    "Copy the files of a population, and of its record what is needed to judge and to name it"
    b.about.parent.mkdir(parents=True, exist_ok=True)
    for old,new in (a.logits, b.logits), (a.control, b.control):
        if old.is_file(): thin(old, new)
    if a.metrics.is_file(): shutil.copy(a.metrics, b.metrics)
    write_json(b.about, {k: about[k] for k in keys if k in about})

def main(record, out, folder=None, names=''):
    record = Path(record)
    table(record).round(5).to_csv(out, index=False)
    if not folder: return
    halves = members_file(record).is_file()
    pack(files(record), files(folder), read_about(record), kept['runs' if halves else 'retain'])
    if halves: shutil.copy(members_file(record), folder)
    for n in names.split(',') if names else approaches(record):
        pack(files(record, n), files(folder, n), read_about(record/n), kept['method'])

if __name__ == '__main__': main(*sys.argv[1:])
