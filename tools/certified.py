"""Put certified unlearning to a certified audit; `python tools/certified.py` writes data/results/certified.csv, row by row.

Logistic regression on scikit-learn's digits (is it 5 or more?), with a forget set that is the worst case for the promise: five in six
of the training digits, with their labels turned round, so that an original and a model that never saw them point in opposite directions. For every seed an original and a retrained
model are trained, `clipped` or `output_noise` answers the request on the one and in vain on the other, a few hundred times, and the audit
is given one score of each answer. The noise is that of the promise, or half of it.
"""
import itertools, sys
from pathlib import Path
import numpy as np, pandas as pd, torch
from scipy.optimize import brentq
from torch import nn
from machine_unlearning.audit.certified import certified
from machine_unlearning.augment import Transform
from machine_unlearning.data import Data, digits
from machine_unlearning.train import Recipe, bce, fit, one_thread, supervised
from machine_unlearning.unlearn import Request, unlearn
from machine_unlearning.unlearn.clipped import deltas

eps, delta, models, seeds = 1., .05, 200, 10
path = Path(__file__).resolve().parent.parent/'data/results/certified.csv'
transform = Transform((4.88,), (6.01,))
recipe = Recipe(5, .1, 2000, 'constant', momentum=0, nesterov=False, weight_decay=0)
train,test = [Data(d.x, (d.y >= 5).long()) for d in digits()]

def make():
    "Logistic regression, from zero"
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    for p in net.parameters(): nn.init.zeros_(p)
    return net

def world(seed, turned):
    "An original, a retrained model and a request to forget 1,000 digits, with labels turned round or as they are"
    gen = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train), generator=gen)
    retain,forget = train[order[:200]], train[order[200:]]
    if turned: forget = forget.relabelled(1 - forget.y)
    def fitted(data): return fit(make(), data, recipe, transform, gen, objective=supervised(bce))
    return fitted(retain + forget), fitted(retain), Request(retain, forget, transform, recipe, gen, loss=bce, make=make)

def left(steps, e, distance): return next(itertools.islice(deltas(e, distance), steps, None))
def distance(steps): return brentq(lambda r: left(steps, eps, r) - delta, .05, 20)
def promise(steps, r): return brentq(lambda e: left(steps, e, r) - delta, 1e-3, 100) + 1e-9 # of other noise

def settings(steps, share):
    "Hyper-parameters of `clipped` whose noise is a share of what the promise needs; they make the promise that this noise keeps"
    r = distance(steps)/share
    return dict(eps=promise(steps, r) if share < 1 else eps + 1e-9, delta=delta, radius=.1, noise=.2/r, batch=200)

cases = {'one noisy step': ('clipped', 1, True), 'one noisy step, ordinary forget set': ('clipped', 1, False),
    'four noisy steps': ('clipped', 4, True), 'output noise': ('output_noise', 0, True)}

def how(case, share):
    "Method, labels and hyper-parameters of a case"
    name,steps,turned = cases[case]
    return name, turned, settings(steps, share) if steps else dict(eps=eps/share, delta=delta, radius=.1)

def score(model, request):
    "Mean margin of the forget set, by the labels that were to be forgotten"
    with torch.no_grad(): z = model(transform(request.forget.x))[:, 0]
    return ((2*request.forget.y - 1)*z).mean().item()

def scores(case, share, seed, n=models):
    "Scores of answers to a request in vain (n,), and to the real one (n,), and the accuracy of these on the test set"
    name,turned,hp = how(case, share)
    *origins,request = world(seed, turned)
    found,right = [], []
    for origin in origins:
        for i in range(n):
            request.gen.manual_seed(2*i + (origin is origins[0]) + 10**6*seed)
            model,cost = unlearn(name, origin, request, **hp)
            found.append(score(model, request))
            with torch.no_grad(): right.append(((model(transform(test.x))[:, 0] > 0) == test.y).float().mean().item())
    real,vain = np.split(np.array(found), 2)
    return vain, real, np.mean(right[:n])

def row(case, share, seed):
    "What the audit proves of one population"
    vain,real,accuracy = scores(case, share, seed)
    apart = (real.mean() - vain.mean())/np.sqrt((real.var(ddof=1) + vain.var(ddof=1))/2)
    bound = certified(vain[None], real[None], .05, delta)[0]
    return dict(case=case, noise=share, seed=seed, models=models, claimed=eps, promise=how(case, share)[2]['eps'], certified=bound,
        distance=apart, test_accuracy=accuracy)

if __name__ == '__main__':
    done = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=['case', 'noise', 'seed'])
    known = set(done[['case', 'noise', 'seed']].itertuples(index=False, name=None))
    for case,share,seed in itertools.product([c for c in cases if not sys.argv[1:] or c in sys.argv[1:]], (1., .5), range(seeds)):
        if (case, share, seed) in known: continue
        with one_thread(): new = row(case, share, seed)
        done = pd.concat([done, pd.DataFrame([new])]) if len(done) else pd.DataFrame([new])
        done.round(4).to_csv(path, index=False)
        print(new, flush=True)
