"Repeat the audit of exact deletion with other splits and models, and write a line for each: data/results/exact_deletion.csv."
import sys, tempfile, numpy as np, pandas as pd
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from machine_unlearning.audit.result import audit
from machine_unlearning.estimators import EstimatorPlan, RidgeSums, exact_deletion, run_estimators

columns = 'finding memory_left p_value memory_p memory_energy_p set_p'.split()

def problems():
    "Name, factory, examples and labels"
    x,y = load_diabetes(return_X_y=True)
    yield 'ridge', lambda seed: RidgeSums(), x/x.std(0), y
    yield 'gaussian', lambda seed: GaussianNB(), *load_breast_cancer(return_X_y=True)
    x,y = load_digits(return_X_y=True)
    some = np.random.default_rng(0).permutation(len(y))[:900]
    yield 'multinomial', lambda seed: MultinomialNB(), x[some], y[some]

def one(make, x, y, seed):
    "Rows of an audit"
    with tempfile.TemporaryDirectory() as tmp, redirect_stderr(StringIO()):
        plan = EstimatorPlan(tmp, make, x, y, dict(exact=exact_deletion), n=12, forget=60, held_out=.4, seen=.8, seed=seed)
        return audit(run_estimators(plan))[0]

def main(repeats=9, out=Path(__file__).resolve().parent.parent/'data'/'results'/'exact_deletion.csv'):
    "Audit every problem so many times"
    found = []
    for seed in range(int(repeats)):
        for name,*problem in problems():
            rows = one(*problem, seed)
            found += [rows.assign(kind=name, seed=seed).query("approach != 'baseline'")]
        pd.concat(found)[['kind', 'seed', 'approach', *columns]].round(4).to_csv(out, index=False)

if __name__ == '__main__': main(*sys.argv[1:])
