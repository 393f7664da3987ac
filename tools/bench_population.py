"Time the making of models: training, workers, what the engine costs per unit, and a GPU where there is one."
import contextlib, csv, functools, multiprocessing, os, statistics, subprocess, sys, tempfile, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
import torch
from machine_unlearning.augment import Transform
from machine_unlearning.core import atomic
from machine_unlearning.data import Data
from machine_unlearning.engine import Inline, Job, processes, work
from machine_unlearning.models import ResNet18
from machine_unlearning.plan import Plan
from machine_unlearning.population import run
from machine_unlearning.train import Recipe, Speed, fastest, fit, one_thread, seeded
from machine_unlearning.vision import torchvision

width,images,epochs = 16, 1024, 1
transform = Transform((125.3, 123., 113.9), (63., 62.1, 66.7), crop=4, flip=True, auto=True)
recipe = Recipe(epochs, .05, schedule='constant')

def noise(n, size=32):
    g = torch.Generator().manual_seed(0)
    return Data(torch.randint(256, (n, 3, size, size), generator=g).to(torch.uint8), torch.arange(n) % 10)

class Pictures(torch.utils.data.Dataset):
    "What published code does: PIL images, one at a time"
    def __init__(self, data):
        from PIL import Image
        t = torchvision('transforms')
        self.images,self.labels = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in data.x], data.y.tolist()
        self.transform = t.Compose([t.RandomCrop(32, 4, padding_mode='reflect'), t.RandomHorizontalFlip(), t.AutoAugment(t.AutoAugmentPolicy.CIFAR10),
            t.ToTensor(), t.Normalize((.491, .482, .447), (.247, .243, .262))])
    def __len__(self): return len(self.labels)
    def __getitem__(self, i): return self.transform(self.images[i]), self.labels[i]

def plain_loop(data, workers=2):
    "Train a model the usual way: DataLoader with workers, float32, all threads"
    loader = torch.utils.data.DataLoader(Pictures(data), recipe.batch, shuffle=True, num_workers=workers)
    model,loss = ResNet18(width), torch.nn.CrossEntropyLoss()
    opt = torch.optim.SGD(model.parameters(), recipe.lr, momentum=.9, nesterov=True, weight_decay=5e-4)
    model.train()
    for _ in range(epochs):
        for x,y in loader:
            opt.zero_grad()
            loss(model(x), y).backward()
            opt.step()

def our_model(seed):
    with one_thread(), seeded(seed) as gen: fit(ResNet18(width), noise(images), recipe, transform, gen)

def seconds(f, *args):
    start = time.perf_counter()
    f(*args)
    return time.perf_counter() - start

def write_rows(rows, out):
    "Write dicts with the same keys as a csv file, numbers with five digits"
    with atomic(out) as tmp, tmp.open('w', newline='') as f:
        w = csv.DictWriter(f, rows[0], lineterminator='\n')
        w.writeheader()
        w.writerows({k: f'{v:.5g}' if isinstance(v, float) else v for k,v in r.items()} for r in rows)

def summary(values): return statistics.median(values), max(values) - min(values), len(values)

def plain_pair():
    "Seconds for two models, one after another, after a first one"
    torch.set_num_threads(2)
    data = noise(images)
    plain_loop(data)
    return seconds(lambda: [plain_loop(data) for _ in range(2)])

def plain_in_a_process():
    "The usual loop in a process of its own, whose OpenMP may use all cores"
    env = {k: v for k,v in os.environ.items() if k != 'OMP_NUM_THREADS'} | dict(PYTHONPATH=str(Path(__file__).parent))
    r = subprocess.run([sys.executable, '-c', 'import bench_population; print(bench_population.plain_pair())'], capture_output=True, text=True, check=True, env=env)
    return float(r.stdout)

def training(add, rounds=5):
    "Two models: the usual loop one after another, against two workers"
    ratios,rates = [], []
    with processes(2) as pool:
        both = lambda: list(pool.map(our_model, range(2)))
        both()
        for _ in range(rounds):
            ours,theirs = seconds(both), plain_in_a_process()
            ratios.append(theirs/ours)
            rates.append(2*images*epochs/ours)
    add('training against a plain PyTorch loop (DataLoader, PIL, float32)', *summary(ratios), f'times as fast, two ResNet-18 of width {width} on 32×32 with AutoAugment, 2 cores')
    add('training, two workers', *summary(rates), 'images per second')

def two_workers(add, rounds=3):
    "The same models with one worker and with two that are ready"
    options = dict(epochs=15)
    plan = lambda folder,n: Plan(Path(folder), 'digits', options, (), n)
    ratios = []
    with processes(2) as pool, tempfile.TemporaryDirectory() as tmp:
        run(plan(f'{tmp}/ready', 4), pool)
        for i in range(rounds):
            one,two = seconds(run, plan(f'{tmp}/one{i}', 20), Inline()), seconds(run, plan(f'{tmp}/two{i}', 20), pool)
            ratios.append(one/two)
    add('two workers against one', *summary(ratios), 'times as fast, 20 digits models')

def noop(job, deadline): pass
def jobs(folder, n): return [Job(f'{folder}/{i // 1000}/{i}', f'job {i}') for i in range(n)]

def memory():
    "Resident size of this process in MiB"
    line = next(l for l in Path('/proc/self/status').read_text().splitlines() if l.startswith('VmRSS'))
    return int(line.split()[1])/2**10

def overhead(name, add, make, n, rounds=3):
    "Milliseconds per job that does nothing"
    with make() as pool, tempfile.TemporaryDirectory() as tmp:
        work(jobs(f'{tmp}/ready', 100), noop, pool)
        times = [1000*seconds(work, jobs(f'{tmp}/{i}', n), noop, pool)/n for i in range(rounds)]
    add(f'engine, {name}', *summary(times), f'milliseconds per unit, {n} no-op units')

class Watched(ProcessPoolExecutor):
    "Notes the driver's memory at every thousandth job"
    sizes = []
    count = 0
    def submit(self, *args, **kwargs):
        self.count += 1
        if self.count % 1000 == 0: self.sizes.append(memory())
        return super().submit(*args, **kwargs)

def flat(add, n=10_000):
    "Growth of the driver's memory over many jobs"
    with Watched(2, multiprocessing.get_context('spawn')) as pool, tempfile.TemporaryDirectory() as tmp: work(jobs(tmp, n), noop, pool)
    add('driver memory', max(pool.sizes[1:]) - pool.sizes[1], None, 1, f'MiB more at the end of {n} no-op units than after 2000')

@contextlib.contextmanager
def dask_pool():
    "Two Dask workers on this machine"
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client: yield client.get_executor(pure=False)

def gpu_rate(speed, n=50_000, width=64, batch=1024, epochs=2):
    "Training images per second on a GPU"
    data = noise(n).to('cuda')
    def train(seed, epochs):
        with seeded(seed) as gen: fit(ResNet18(width).cuda(), data, Recipe(epochs, .1, batch), transform, gen, speed=speed)
        torch.cuda.synchronize()
    train(0, 1) # compiles, chooses convolution algorithms
    return n*epochs/seconds(train, 1, epochs)

def gpu_peak(n=8192, repeat=50):
    "bfloat16 matrix multiplication in TFLOP/s"
    a,b = (torch.randn(n, n, device='cuda', dtype=torch.bfloat16) for _ in range(2))
    def go():
        for _ in range(repeat): a @ b
        torch.cuda.synchronize()
    go()
    return 2*n**3*repeat/seconds(go)/1e12

def flops_per_image(make=ResNet18):
    "Multiplications and additions of a forward and a backward pass of a network for an image of CIFAR-10"
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as count: make()(torch.zeros(1, 3, 32, 32)).sum().backward()
    return count.get_total_flops()

def gpu(add):
    "Rows of a GPU, where there is one"
    if not torch.cuda.is_available(): return
    peak = gpu_peak()
    add('GPU, bf16 matrix peak', peak, None, 1, 'TFLOP/s, 8192×8192')
    for name,change in dict(plain=dict(channels_last=False, fused=False, ahead=1, bf16=False), default={}, compiled=dict(compile=True)).items():
        rates = [gpu_rate(Speed(**(vars(fastest('cuda')) | change))) for _ in range(3)]
        add(f'GPU, training, {name}', *summary(rates), 'images per second, ResNet-18 of width 64 on 32×32')
        add(f'GPU, training, {name}', statistics.median(rates)*flops_per_image()/1e12/peak, None, 3, 'share of the bf16 matrix peak')
    mps = ', MPS'*bool(os.environ.get('CUDA_MPS_PIPE_DIRECTORY')) # where its daemon runs, kernels of several processes run at once
    together = functools.partial(gpu_rate, n=12_800, batch=128, epochs=1)
    for models in 2, 4, 8:
        with processes(models, (0,)) as pool: rates = [sum(pool.map(together, [fastest('cuda')]*models)) for _ in range(3)]
        add(f'GPU, training, {models} models at a time{mps}', *summary(rates), 'images per second of all together, ResNet-18 of width 64 on 32×32, batch 128')

def main(add):
    training(add)
    two_workers(add)
    overhead('one process', add, Inline, 2000)
    overhead('process pool of 2', add, functools.partial(processes, 2), 2000)
    overhead('Dask, 2 workers on one machine', add, dask_pool, 1000)
    flat(add)
    gpu(add)
