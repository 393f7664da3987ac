"Time everything: how models are made, then the audit: against plain loops, growth with examples and models, a million examples from files."
import platform, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np
from scipy import stats
from machine_unlearning.attack import attack, epsilon
from machine_unlearning.audit.bayes import beta_interval, credible
from machine_unlearning.audit.certified import certified, simultaneous_table
from machine_unlearning.audit.competition import competition_epsilon
from machine_unlearning.audit.gdp import gaussian_p_value, gdp_epsilon
from machine_unlearning.audit.klom import klom
from machine_unlearning.audit.membership import u_lira
from machine_unlearning.audit.memory import memory
from machine_unlearning.audit.permutation import permutation_test
from machine_unlearning.audit.scores import confidence
from machine_unlearning.audit.set_attack import set_attack, set_attack_blocks
from machine_unlearning.core import versions
from machine_unlearning.engine import cores
from machine_unlearning.logits import blocks, read_block, read_logits

models,classes = 80, 10
estimators = dict(plug_in=epsilon, competition=competition_epsilon, certified=certified, certified_hull=lambda r, u: certified(r, u, rule='hull'), joint_beta=credible,
    gaussian_dp=gdp_epsilon, gaussian_test=gaussian_p_value, permutation_999=permutation_test, set_attack=set_attack, memory=lambda r, u: memory(r, r, u, u), u_lira=u_lira, klom=klom)

def scores(S, models=models):
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

def plain_epsilon(retain, unlearn, delta=.05):
    "ε of the study written down as it is defined: example by example, threshold by threshold"
    found = []
    for r,u in zip(retain, unlearn):
        fit_r,fit_u = stats.norm.fit(r), stats.norm.fit(u)
        score = lambda h: stats.norm.pdf(h, *fit_u)/stats.norm.pdf(h, *fit_r)
        sr,su = [score(h) for h in r], [score(h) for h in u]
        positive,negative = (sr, su) if np.median(sr) > np.median(su) else (su, sr)
        best = np.nan
        for t in sorted(set(sr + su)):
            fpr,fnr = np.mean([s >= t for s in negative]), np.mean([s < t for s in positive])
            if fpr == fnr == 0: best = np.inf
            if fpr == 0 or fnr == 0: continue
            for a,b in (fpr, fnr), (fnr, fpr):
                if 1-delta-a > 0: best = np.nanmax([best, np.log(1-delta-a+1e-8) - np.log(b+1e-8)])
        found.append(best)
    return np.array(found)

def plain_permutation(retain, unlearn, draws=99):
    "The permutation test with its whole statistic computed anew, example by example, for every shuffle"
    rng,both,n = np.random.default_rng(0), np.concatenate([retain, unlearn], 1), retain.shape[1]
    def jeffreys(a, b):
        d,va,vb = a.mean() - b.mean(), a.var(), b.var()
        return ((va + d**2)/vb + (vb + d**2)/va)/2 - 1
    statistic = lambda x: np.mean([jeffreys(row[:n], row[n:]) for row in x])
    observed = statistic(both)
    larger = sum(statistic(both[:, rng.permutation(both.shape[1])]) >= observed for _ in range(draws))
    return (larger + 1)/(draws + 1)

def plain_interval(fp, fn, n, m, alpha=.05, delta=1e-5, nodes=256):
    "Joint Beta interval of one pair of counts by bisection, with the integral over FPR done anew for every ε"
    def inside(eps):
        x = stats.beta.ppf((np.arange(nodes)+.5)/nodes, fp+.5, n-fp+.5)
        def lowest(x): return np.clip(np.maximum((1-delta-x)*np.exp(-eps), 1-delta-x*np.exp(eps)), 0, 1)
        posterior = stats.beta(fn+.5, m-fn+.5)
        return np.maximum(posterior.cdf(1-lowest(1-x)) - posterior.cdf(lowest(x)), 0).mean()
    def end(p):
        low,high = 0., 30.
        for _ in range(20):
            middle = (low+high)/2
            low,high = (middle, high) if inside(middle) < p else (low, middle)
        return high
    return end(alpha/2), end(1-alpha/2)

def against_bisection(add, n=models, rounds=3):
    "How much faster credible intervals are than bisection for every example, on counts as 1,000 examples have them"
    rng = np.random.default_rng(0)
    fp,fn = rng.binomial(n, .2, 1000), rng.binomial(n, .3, 1000)
    ratios = []
    for i in range(rounds): # another level each time, as pairs of counts are remembered
        alpha = .05 + i/1000
        fast = seconds(lambda: beta_interval(fp, fn, n, n, alpha), repeat=1)[0]
        plain = seconds(lambda: [plain_interval(*c, n, n, alpha) for c in zip(fp[:20], fn[:20])], repeat=1)[0]*len(fp)/20
        np.testing.assert_allclose(plain_interval(fp[0], fn[0], n, n, alpha), [e[0] for e in beta_interval(fp[:1], fn[:1], n, n, alpha)], atol=5e-5)
        ratios.append(plain/fast)
    add('credible intervals', 1000, np.median(ratios), max(ratios)-min(ratios), 'times as fast as bisection for every example', rounds)

def against_loops(add, S=200, rounds=3):
    "Our functions and plain implementations of the same definitions, in turn"
    pair = scores(S)
    np.testing.assert_allclose(plain_epsilon(*pair), epsilon(*pair), atol=1e-6)
    both = ('plug_in', epsilon, plain_epsilon), ('permutation_99', lambda r, u: permutation_test(r, u, draws=99), plain_permutation)
    for name,ours,theirs in both:
        ratios = [seconds(theirs, *pair, repeat=1)[0]/seconds(ours, *pair)[0] for _ in range(rounds)]
        add(f'{name} against a plain loop', S, statistics.median(ratios), max(ratios) - min(ratios), 'times as fast', rounds)

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
    def pairs(): return ([confidence(read_block(z, s)) for z in (r, u)] for s in blocks(r.shape))
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
    import bench_population, torch # not above: the audit is timed in processes without torch
    rows = []
    def add(name, S, value, spread, unit, n):
        number = lambda v, digits: '' if v is None else f'{v:.{digits}g}'
        rows.append(dict(name=name, examples=S, models=f'{models}+{models}' if S else '', value=number(value, 4), spread=number(spread, 2), unit=unit, n=n))
        print(f'{name:66}{S:>10}{number(value, 4):>10} {unit}', flush=True)
    bench_population.main(lambda name, value, spread, n, unit: add(name, '', value, spread, unit, n))
    against_loops(add)
    against_bisection(add)
    for n in models//2, models: simultaneous_table(n, n, .05, 1e-5) # computed once, whatever is timed
    for name,f in estimators.items():
        times = {S: seconds(f, *scores(S)) for S in (small, 10*small)}
        (short,_,_),(long,spread,n) = times[small], times[10*small]
        add(name, 10*small, long*1e6/(10*small), spread*1e6/(10*small), 'seconds per million examples', n)
        add(name, 10*small, long/short, None, 'times as long for ten times the examples', n)
        half,_,_ = seconds(f, *scores(small, models//2))
        add(name, small, short/half, None, 'times as long for twice the models', n)
    for S in large//10, large:
        with tempfile.TemporaryDirectory() as folder:
            make_files(Path(folder), S)
            for what in 'plug_in', 'certified_and_set_attack':
                r = subprocess.run([sys.executable, __file__, folder, what], capture_output=True, text=True, check=True)
                took,peak = map(float, r.stdout.split())
                add(f'{what} from float16 files', S, took, None, 'seconds', 1)
                add(f'{what} from float16 files', S, peak, None, 'GiB peak', 1)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    machine = f'{platform.processor() or platform.machine()}, {cores()} cores, {gpu}; ' + ', '.join(f'{k} {v}' for k,v in versions().items() if k != 'platform')
    bench_population.write_rows([r | dict(machine=machine) for r in rows], out)

if __name__ == '__main__': from_files(*sys.argv[1:]) if len(sys.argv) > 1 else main()
