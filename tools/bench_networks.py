"""Time networks on CIFAR-10 with one core: images per second, GFLOP/s beside a matrix product, and accuracy after so many core-minutes;
and for the compact one what layout, batch, precision, compiling, threads and stacking do.

usage: python tools/bench_networks.py DATA_DIR [MINUTES ...]; DATA_DIR holds cifar-10-batches-py.
Writes data/results/compact.csv and compact_ways.csv, where rows of other machines stay."""
import csv, functools, platform, re, statistics, sys, time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
import torch, torch.nn as nn, torch.nn.functional as F
from bench_population import flops_per_image, write_rows
from machine_unlearning.core import versions
from machine_unlearning.models import Compact, ResNet18
from machine_unlearning.task import cifar10
from machine_unlearning.train import evaluate, fit, one_thread, seeded

networks = {f'compact, width {w}{", bfloat16"*bf16}': functools.partial(Compact, w, bf16=bf16) for w in (24, 36) for bf16 in (False, True)} | {f'ResNet-18, width {w}': functools.partial(ResNet18, w) for w in (8, 16, 64)}

def core_seconds(f, *args):
    "Seconds that the process computed"
    start = time.process_time()
    f(*args)
    return time.process_time() - start

def product(n=1024, repeat=5):
    "GFLOP/s of a product of two n×n matrices of float32"
    a,b = torch.randn(n, n), torch.randn(n, n)
    return repeat*2*n**3/1e9/core_seconds(lambda: [a @ b for _ in range(repeat)])

def step(model, opt, x, y):
    opt.zero_grad()
    F.cross_entropy(model(x), y).backward()
    opt.step()

class Planes(Compact):
    "The compact network with every channel in a plane of its own, torch's usual layout"
    def filtered(self, x):
        h = F.conv2d(x, self.filters, stride=2, padding=1)
        return torch.cat([h, -h], 1)

class Stacked(Compact):
    "Several compact networks as one, whose convolutions are in groups; logits of all, one below the other"
    def __init__(self, models=2):
        super().__init__()
        self.models,self.norm = models, nn.BatchNorm2d(models*self.norm.num_features)
        self.fc = nn.ModuleList(nn.Linear(160, 10) for _ in range(models))
        self.blocks = nn.Sequential(*[nn.Sequential(nn.Conv2d(models*b[0].in_channels, models*b[0].out_channels, 3, padding=1, bias=False,
            groups=models), nn.BatchNorm2d(models*b[0].out_channels), nn.ReLU()) for b in self.blocks])

    def filtered(self, x):
        h = F.conv2d(x, self.filters, stride=2, padding=1)
        return torch.cat([h, -h]*self.models, 1).contiguous(memory_format=torch.channels_last)

    def forward(self, x): return torch.cat([f(z) for f,z in zip(self.fc, self.maps(x).amax((2, 3)).chunk(self.models, 1))])

def per_second(make=Compact, batch=256, fused=True, compiled=False, models=1, clock=time.process_time, steps=4):
    "A function that trains for some steps and returns images per second, times the models that see them"
    model = make().train()
    network,opt = torch.compile(model) if compiled else model, torch.optim.SGD(model.parameters(), .01, momentum=.9, nesterov=True, fused=fused)
    x,y = torch.rand(batch, 3, 32, 32), torch.arange(batch).repeat(models) % 10
    step(network, opt, x, y)
    def once():
        start = clock()
        for _ in range(steps): step(network, opt, x, y)
        return models*steps*batch/(clock() - start)
    return once

ways = {'channels as planes': dict(make=Planes), 'bfloat16': dict(make=functools.partial(Compact, bf16=True)), 'optimiser not fused': dict(fused=False),
    'torch.compile': dict(compiled=True), '2 models stacked': dict(make=Stacked, models=2), '4 models stacked': dict(make=functools.partial(Stacked, 4), models=4)}
ways |= {f'batch {b}': dict(batch=b) for b in (64, 128, 512, 1024)}

def compared(rounds=5):
    "Every way against the usual one, in turn: median ratio, spread, n"
    usual = per_second()
    for name,kw in ways.items():
        other = per_second(**kw)
        ratios = [other()/usual() for _ in range(rounds)]
        yield dict(way=name, ratio=statistics.median(ratios), spread=max(ratios) - min(ratios), n=rounds)

def wall_rate(threads, rounds=5):
    "Images per second of the clock with so many threads, one value a round"
    torch.set_num_threads(threads)
    once = per_second(clock=time.perf_counter, steps=12)
    return [once() for _ in range(rounds)]

def on_two_cores():
    "Two threads in one process, and two processes of one thread, against one thread"
    with ProcessPoolExecutor(2) as pool:
        one,threads = (pool.submit(wall_rate, n).result() for n in (1, 2))
        both = [sum(pair) for pair in zip(*pool.map(wall_rate, (1, 1)))]
    for name,found in {'2 threads': threads, '2 processes': both}.items():
        ratios = [a/b for a,b in zip(found, one)]
        yield dict(way=name, ratio=statistics.median(ratios), spread=max(ratios) - min(ratios), n=len(ratios))

def rates(make, rounds=5):
    "Images per core-second of training steps and GFLOP/s of a matrix product, in turn"
    once = per_second(make, steps=1)
    return zip(*[(once(), product()) for _ in range(rounds)])

def trained(make, minutes, rate, task, seed=0):
    "Test accuracy, epochs and core-seconds of a training that is planned to take so many core-minutes"
    epochs = round(60*minutes*rate/len(task.train))
    if not epochs: return None, 0, 0
    with seeded(seed) as gen:
        model = make()
        took = core_seconds(lambda: fit(model, task.train, replace(task.recipe, epochs=epochs), task.transform, gen))
    return evaluate(model, task.held_out, task.transform), epochs, took

def processor():
    "Family and model of the processor, as Linux tells them, and whether it has AMX, which bfloat16 gains by"
    told = Path('/proc/cpuinfo').read_text() if Path('/proc/cpuinfo').exists() else ''
    found = [re.search(rf'^{k}\s*: (.+)$', told, re.M) for k in ('vendor_id', 'cpu family', 'model')]
    name = ' '.join(m[1] for m in found) if all(found) else platform.processor() or platform.machine()
    return name + ' with AMX'*('amx_bf16' in told)

def add_rows(rows, machine, out):
    "Write what was measured on a machine beside what was measured on others"
    before = csv.DictReader(Path(out).read_text().splitlines()) if Path(out).is_file() else []
    others = [r for r in before if r['machine'] != machine]
    write_rows([*others, *(r | dict(machine=machine) for r in rows)], out)

def main(data_dir='data', *minutes, out='data/results/compact.csv'):
    task,rows = cifar10(data_dir, network='compact'), []
    machine = f'{processor()}, one core; ' + ', '.join(f'{k} {v}' for k,v in versions().items() if k != 'platform')
    with one_thread(): add_rows([*compared(), *on_two_cores()], machine, out.replace('.csv', '_ways.csv'))
    with one_thread():
        for name,make in networks.items():
            images,products = rates(make)
            rate,work = statistics.median(images), flops_per_image(make)
            row = dict(network=name, parameters=sum(p.numel() for p in make().parameters()), mflop=work/1e6, images_per_second=rate,
                spread=max(images) - min(images), n=len(images), gflops=rate*work/1e9, product=statistics.median(products))
            for m in minutes or ['']: # a training has more to do than its steps
                accuracy,epochs,took = trained(make, float(m), .93*rate, task) if m else (None, None, None)
                rows.append(row | dict(minutes=m, epochs=epochs, core_seconds=took, test_accuracy=accuracy))
                print({k: round(v, 4) if isinstance(v, float) else v for k,v in rows[-1].items()}, flush=True)
    add_rows(rows, machine, out)

if __name__ == '__main__': main(*sys.argv[1:])
