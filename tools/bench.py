"Time the audit: every estimator per million examples, growth with their number, and a million examples from files."
import csv, platform, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np
from machine_unlearning.attack import attack, epsilon
from machine_unlearning.audit.bayes import credible
from machine_unlearning.audit.certified import certified, simultaneous_table
from machine_unlearning.audit.competition import competition_epsilon
from machine_unlearning.audit.gdp import gaussian_p_value, gdp_epsilon
from machine_unlearning.audit.klom import klom
from machine_unlearning.audit.membership import u_lira
from machine_unlearning.audit.memory import mean_z
from machine_unlearning.audit.permutation import permutation_test
from machine_unlearning.audit.result import Population, checked_pairs
from machine_unlearning.audit.scores import confidence
from machine_unlearning.audit.set_attack import set_attack, set_attack_blocks
from machine_unlearning.core import atomic, versions
from machine_unlearning.logits import read_logits

models,classes = 80, 10
estimators = dict(plug_in=epsilon, competition=competition_epsilon, certified=certified, certified_hull=lambda r, u: certified(r, u, rule='hull'), joint_beta=credible,
    gaussian_dp=gdp_epsilon, gaussian_test=gaussian_p_value, permutation_999=permutation_test, set_attack=set_attack, mean_z=mean_z, u_lira=u_lira, klom=klom)

def scores(S):
    rng = np.random.default_rng(0)
    return rng.normal(size=(S, models)), rng.normal(1, 1.2, size=(S, models))

def seconds(f, *args, repeat=3, enough=10):
    "Median and spread of the wall time, and how often it was taken: once if that took long enough"
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        f(*args)
        times.append(time.perf_counter() - start)
        if times[0] > enough: break
    return float(np.median(times)), max(times) - min(times), len(times)

def make_files(folder, S, step=20_000):
    "Two float16 files of S examples"
    rng = np.random.default_rng(0)
    for name,shift in ('retain', 0), ('unlearn', 1):
        z = np.lib.format.open_memmap(folder/f'{name}.npy', 'w+', np.float16, (S, models+1, classes))
        for i in range(0, S, step):
            part = rng.standard_normal((min(step, S-i), models+1, classes), dtype=np.float32)
            y = np.arange(i, i+len(part)) % classes
            part[np.arange(len(part)), 1:, y] += 2 + shift
            part[:, 0] = np.eye(classes)[y]
            z[i:i+len(part)] = part
        del z

def peak_memory():
    "Largest resident size of this process in GiB; getrusage would count the parent's from before the start"
    line = next(l for l in Path('/proc/self/status').read_text().splitlines() if l.startswith('VmHWM'))
    return int(line.split()[1])/2**20

def from_files(folder, what):
    "One estimator over all examples of two files, block by block"
    r,u = (read_logits(Path(folder)/f'{n}.npy') for n in ('retain', 'unlearn'))
    pairs = lambda: checked_pairs(Population('retain', r), Population('unlearn', u), confidence)
    simultaneous_table(models, models, .05, 1e-5) # computed once, whatever S
    start = time.perf_counter()
    def certify():
        for p in pairs():
            certified(*p)
            yield p
    if what == 'plug_in': attack(r, u)
    else: set_attack_blocks(certify(), len(r)) # in one pass, as the audit does
    print(time.perf_counter() - start, peak_memory())

def main(out='data/benchmarks.csv', small=2_000, large=1_000_000):
    rows = []
    def add(name, S, value, spread, unit, n):
        rows.append(dict(name=name, examples=S, models=f'{models}+{models}', value=f'{value:.4g}', spread=f'{spread:.2g}', unit=unit, n=n))
        print(f'{name:32}{S:>10}{value:>10.4g} {unit}', flush=True)
    simultaneous_table(models, models, .05, 1e-5)
    for name,f in estimators.items():
        times = {S: seconds(f, *scores(S)) for S in (small, 10*small)}
        (short,_,_),(long,spread,n) = times[small], times[10*small]
        add(name, 10*small, long*1e6/(10*small), spread*1e6/(10*small), 'seconds per million examples', n)
        add(name, 10*small, long/short, 0, 'times as long for ten times the examples', n)
    for S in large//10, large:
        with tempfile.TemporaryDirectory() as folder:
            make_files(Path(folder), S)
            for what in 'plug_in', 'certified_and_set_attack':
                r = subprocess.run([sys.executable, __file__, folder, what], capture_output=True, text=True, check=True)
                took,peak = map(float, r.stdout.split())
                add(f'{what} from float16 files', S, took, 0, 'seconds', 1)
                add(f'{what} from float16 files', S, peak, 0, 'GiB peak', 1)
    machine = f'{platform.processor() or platform.machine()}, one thread; ' + ', '.join(f'{k} {v}' for k,v in versions().items() if k in ('python', 'numpy', 'scipy'))
    with atomic(out) as tmp, tmp.open('w', newline='') as f:
        w = csv.DictWriter(f, [*rows[0], 'machine'], lineterminator='\n')
        w.writeheader()
        w.writerows(r | dict(machine=machine) for r in rows)

if __name__ == '__main__': from_files(*sys.argv[1:]) if len(sys.argv) > 1 else main()
