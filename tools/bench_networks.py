"""Time networks on CIFAR-10 with one core: images per second, GFLOP/s beside a matrix product, and accuracy after so many core-minutes.

usage: python tools/bench_networks.py DATA_DIR [MINUTES ...]; DATA_DIR holds cifar-10-batches-py. Writes data/results/compact.csv"""
import csv, functools, platform, statistics, sys, time
from dataclasses import replace
import torch, torch.nn.functional as F
from bench_population import flops_per_image
from machine_unlearning.core import atomic, versions
from machine_unlearning.models import Compact, ResNet18
from machine_unlearning.task import cifar10
from machine_unlearning.train import evaluate, fit, one_thread, seeded

networks = {'compact': Compact} | {f'ResNet-18, width {w}': functools.partial(ResNet18, w) for w in (8, 16, 64)}

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

def rates(make, batch=256, rounds=5):
    "Images per core-second of training steps and GFLOP/s of a matrix product, in turn"
    model,x,y = make().train(), torch.rand(batch, 3, 32, 32), torch.arange(batch) % 10
    opt = torch.optim.SGD(model.parameters(), .01, momentum=.9, nesterov=True, fused=True)
    step(model, opt, x, y)
    return zip(*[(batch/core_seconds(step, model, opt, x, y), product()) for _ in range(rounds)])

def trained(make, minutes, rate, task, seed=0):
    "Test accuracy, epochs and core-seconds of a training that is planned to take so many core-minutes"
    epochs = round(60*minutes*rate/len(task.train))
    if not epochs: return None, 0, 0
    with seeded(seed) as gen:
        model = make()
        took = core_seconds(lambda: fit(model, task.train, replace(task.recipe, epochs=epochs), task.transform, gen))
    return evaluate(model, task.held_out, task.transform), epochs, took

def main(data_dir, *minutes, out='data/results/compact.csv'):
    task,rows = cifar10(data_dir, network='compact'), []
    machine = f'{platform.machine()}, one core; ' + ', '.join(f'{k} {v}' for k,v in versions().items() if k != 'platform')
    with one_thread():
        for name,make in networks.items():
            images,products = rates(make)
            rate,work = statistics.median(images), flops_per_image(make)
            row = dict(network=name, parameters=sum(p.numel() for p in make().parameters()), mflop=work/1e6, images_per_second=rate,
                spread=max(images) - min(images), n=len(images), gflops=rate*work/1e9, product=statistics.median(products))
            for m in minutes or ['']: # planned with a margin, as a training has more to do than its steps
                accuracy,epochs,took = trained(make, float(m), .85*rate, task) if m else (None, None, None)
                rows.append(row | dict(minutes=m, epochs=epochs, core_seconds=took, test_accuracy=accuracy, machine=machine))
                print({k: round(v, 4) if isinstance(v, float) else v for k,v in rows[-1].items() if k != 'machine'}, flush=True)
    with atomic(out) as tmp, tmp.open('w', newline='') as f:
        w = csv.DictWriter(f, rows[0], lineterminator='\n')
        w.writeheader()
        w.writerows({k: f'{v:.5g}' if isinstance(v, float) else v for k,v in r.items()} for r in rows)

if __name__ == '__main__': main(*sys.argv[1:])
