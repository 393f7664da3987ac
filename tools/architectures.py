"""Try every method on a small network of every kind, and on every shape of task; `python tools/architectures.py` writes data/results/architectures.csv.
Names of methods, or words in names of networks, limit it to these.

A cell is `works` when the unlearned weights and what they predict are finite, weights changed (but for the original), what is frozen or shared
or stands for padding is as it was, the original is unchanged, and the network comes back as it was given. Otherwise it holds the reason of the refusal.
"""
import functools, sys, warnings
from collections import namedtuple
from pathlib import Path
import numpy as np, pandas as pd, torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from machine_unlearning.augment import Transform
from machine_unlearning.data import Data
from machine_unlearning.models import ResNet18, answering, frozen_memory, inner
from machine_unlearning.train import Recipe, WeightedCrossEntropy, bce, fit, l1, rewinder, seeded, supervised
from machine_unlearning.unlearn import Request, methods, unlearn
from machine_unlearning.unlearn.gradients import mean_gradient

class Net(nn.Module):
    "A network of parts, and a function of them and the inputs"
    def __init__(self, f, **parts):
        super().__init__()
        for k,v in parts.items():
            if isinstance(v, torch.Tensor) and not isinstance(v, nn.Parameter): self.register_buffer(k, v)
            else: setattr(self, k, v)
        self.f = f
    def forward(self, x): return self.f(self, x)

class Parts(Net):
    "The same with two inputs, by name or in order"
    def forward(self, ids, mask): return self.f(self, ids, mask)

def param(*shape): return nn.Parameter(.1*torch.randn(*shape))
def flat(x): return x.flatten(1)
Answer = namedtuple('Answer', 'logits hidden')
parametrized = nn.utils.parametrizations

class LoRA(nn.Module):
    "A frozen linear layer and what two thin matrices add to it"
    def __init__(self, layer, rank=2):
        super().__init__()
        self.layer,self.a,self.b = layer.requires_grad_(False), param(rank, layer.in_features), param(layer.out_features, rank)
    def forward(self, x): return self.layer(x) + x @ self.a.T @ self.b.T

def frozen(net, *names):
    "Freeze parts of a network"
    for n in names: net.get_submodule(n).requires_grad_(False)
    return net

def tied(net, a, b):
    "Let two layers share their weights"
    net.get_submodule(a).weight = net.get_submodule(b).weight
    return net

def words(**kw): return nn.Embedding(16, 8, padding_idx=0, **kw)
def encoder(): return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1, enable_nested_tensor=False)
def images(x): return x.view(-1, 1, 8, 8)

def mlp(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(.2), nn.Linear(8, 3))
def layer_norm(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(.2), nn.Linear(8, 3))
def linear(): return nn.Linear(64, 3)
def group_norm(): return nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
def conv_classifier(): return Net(lambda s, x: s.classifier(s.features(x)), features=nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.SiLU()),
    classifier=nn.Sequential(nn.Dropout(.2), nn.Conv2d(4, 3, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
def two_names():
    fc = nn.Linear(36, 3)
    return Net(lambda s, x: s.head(s.body(x)), body=nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()), fc=fc, head=fc)
def conv1d(): return Net(lambda s, x: s.fc(s.c(flat(x)[:, None]).relu().mean(2)), c=nn.Conv1d(1, 4, 5, 2), fc=nn.Linear(4, 3))
def conv3d(): return Net(lambda s, x: s.fc(flat(s.c(x.view(-1, 1, 4, 4, 4)).relu())), c=nn.Conv3d(1, 4, 3), fc=nn.Linear(32, 3))
def vit(): return Net(lambda s, x: s.head(s.body(torch.cat([s.cls.expand(len(x), -1, -1), s.patch(x).flatten(2).mT], 1) + s.pos)[:, 0]),
    patch=nn.Conv2d(1, 8, 4, 4), cls=param(1, 1, 8), pos=param(1, 5, 8), body=encoder(), head=nn.Linear(8, 3))
def attention(): return Net(lambda s, x: s.fc(s.att(s.q.expand(len(x), -1, -1), s.e(x), s.e(x))[0][:, 0]), e=words(), q=param(1, 1, 8), att=nn.MultiheadAttention(8, 2, batch_first=True), fc=nn.Linear(8, 3))
def transformer(): return Net(lambda s, x: s.head(s.norm(s.body(s.e(x) + s.pos, src_key_padding_mask=x == 0).mean(1))), e=words(), pos=param(1, 6, 8), body=encoder(), norm=nn.LayerNorm(8), head=nn.Linear(8, 3))
def bag(): return nn.Sequential(nn.EmbeddingBag(16, 8, padding_idx=0), nn.Linear(8, 3))
def sparse_bag(): return nn.Sequential(nn.EmbeddingBag(16, 8, sparse=True), nn.Linear(8, 3))
def tied_words(): return tied(Net(lambda s, x: s.out(torch.tanh(s.mid(s.e(x).mean(1)))), e=nn.Embedding(16, 8), mid=nn.Linear(8, 8), out=nn.Linear(8, 16)), 'out', 'e')
def gru(): return Net(lambda s, x: s.fc(s.r(s.e(x))[0][:, -1]), e=words(), r=nn.GRU(8, 6, batch_first=True), fc=nn.Linear(6, 3))
def lstm(): return Net(lambda s, x: s.fc(s.r(s.e(x))[1][0].transpose(0, 1).flatten(1)), e=words(), r=nn.LSTM(8, 4, 2, batch_first=True, bidirectional=True, dropout=.1), fc=nn.Linear(16, 3))
def packed():
    def f(s, ids, mask):
        rows = nn.utils.rnn.pack_padded_sequence(s.e(ids), mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        return s.fc(s.r(rows)[1][-1])
    return Parts(f, e=words(), r=nn.GRU(8, 6, batch_first=True), fc=nn.Linear(6, 3))
def masked(answer=lambda z, h: z):
    def f(s, ids, mask):
        h = s.body(s.e(ids), src_key_padding_mask=~mask)
        return answer(s.classifier((h*mask[..., None]).sum(1)/mask.sum(1, keepdim=True)), h)
    return Parts(f, e=words(), body=encoder(), classifier=nn.Linear(8, 3))
def dictionary(): return masked(lambda z, h: dict(loss=None, logits=z, hidden_states=h))
def named_tuple(): return masked(Answer)
def two_pictures(): return Parts(lambda s, a, b: s.fc(torch.cat([s.c(a).relu().mean((2, 3)), s.t(b)], 1)), c=nn.Conv2d(1, 4, 3), t=nn.Linear(5, 4), fc=nn.Linear(8, 3))
def backbone(): return frozen(Net(lambda s, x: s.fc(s.body(x)), body=nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4, affine=False), nn.Flatten()), fc=nn.Linear(36, 3)), 'body')
def half_frozen(): return frozen(vit(), 'patch', 'body.layers.0.self_attn', 'body.layers.0.norm1')
def lora():
    body = nn.Sequential(nn.Flatten(), LoRA(nn.Linear(64, 8)), nn.LayerNorm(8).requires_grad_(False), nn.ReLU())
    return Net(lambda s, x: s.fc(s.body(x)), body=body, fc=nn.Linear(8, 3))
def lora_head(): return nn.Sequential(nn.Flatten(), LoRA(nn.Linear(64, 8)), nn.ReLU(), LoRA(nn.Linear(8, 3)))
def weight_norms(): return Net(lambda s, x: s.fc(flat(s.c(x).relu())), c=parametrized.weight_norm(nn.Conv2d(1, 4, 3, 2)), fc=parametrized.spectral_norm(nn.Linear(36, 3)))
def cosine(): return Net(lambda s, x: 5*F.linear(F.normalize(s.fc(flat(x))), F.normalize(s.centres)), fc=nn.Linear(64, 8), centres=param(3, 8))
def residual_head(): return Net(lambda s, x: s.a(flat(x)) + s.b(flat(x)), a=nn.Linear(64, 3), b=nn.Linear(64, 3))
def shared_twice(): return Net(lambda s, x: s.fc(s.a(s.a(s.first(flat(x))).relu()).relu()), first=nn.Linear(64, 8), a=nn.Linear(8, 8), fc=nn.Linear(8, 3))
def spare():
    def f(s, x):
        h = s.c(x)
        h += 1
        return s.fc(flat(F.relu(h, inplace=True)))*s.one
    return Net(f, c=nn.Conv2d(1, 4, 3, 2), aux=nn.Conv2d(1, 2, 3), fc=nn.Linear(36, 3), unused=nn.Linear(5, 5), one=torch.ones(1).expand(3))
def recomputed(): return Net(lambda s, x: s.fc(checkpoint(s.body, x, use_reentrant=False)), body=nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten()), fc=nn.Linear(36, 3))
def compiled(): return torch.compile(two_names(), backend='eager')
def compiled_inside(): return nn.Sequential(torch.compile(nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten()), backend='eager'), nn.Linear(36, 3))
def parallel(): return nn.DataParallel(mlp())
def double(): return two_names().double()
def bfloat(): return layer_norm().bfloat16()
def scripted(): return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))

g = torch.Generator().manual_seed(0)
n, n_forget = 30, 6
pictures = torch.randint(0, 256, (n, 1, 8, 8), generator=g).to(torch.uint8)
tokens = torch.randint(1, 16, (n, 6), generator=g)
tokens[::3, 4:] = 0
table = torch.randn(n, 5, generator=g)
rows = dict(pictures=pictures, flat=pictures.flatten(1), tokens=tokens, named=dict(ids=tokens, mask=tokens > 0),
    ordered=(tokens, tokens > 0), mixed=(pictures.float()/255, table))

coarse = {m: dict(lr=.1) for m in ('neggrad', 'boundary_shrink', 'jit', 'negmerge', 'mu_mis', 'hamu')} # smaller steps are rounded away
thirds = torch.arange(n) % 3
def outputs(C): return lambda: nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, C))
Case = namedtuple('Case', 'name make x how', defaults=[{}])
networks = [
    Case('linear layer alone', linear, 'flat'), Case('MLP, batch norm, dropout', mlp, 'pictures'), Case('MLP, layer norm', layer_norm, 'pictures'),
    Case('ResNet-18', lambda: ResNet18(2, 1, 3), 'pictures'), Case('convolutions, group norm, 1×1 head', group_norm, 'pictures'),
    Case('convolutions, instance norm, classifier', conv_classifier, 'pictures'), Case('head with two names', two_names, 'pictures'),
    Case('1-d convolutions', conv1d, 'pictures'), Case('3-d convolutions', conv3d, 'pictures'), Case('vision transformer', vit, 'pictures'),
    Case('tokens, attention', attention, 'tokens'), Case('tokens, transformer', transformer, 'tokens'), Case('tokens, embedding bag', bag, 'tokens'),
    Case('tokens, sparse embedding bag', sparse_bag, 'tokens'), Case('tokens, head tied to embedding', tied_words, 'tokens'),
    Case('tokens, GRU', gru, 'tokens'), Case('tokens, LSTM', lstm, 'tokens'), Case('inputs in order, packed GRU', packed, 'ordered'),
    Case('inputs by name, transformer', masked, 'named'), Case('inputs by name, answers a dictionary', dictionary, 'named'),
    Case('inputs in order, answers a named tuple', named_tuple, 'ordered'), Case('picture and table', two_pictures, 'mixed'),
    Case('frozen backbone', backbone, 'pictures'), Case('vision transformer, half frozen', half_frozen, 'pictures'),
    Case('LoRA', lora, 'pictures'), Case('LoRA, also in the head', lora_head, 'pictures'), Case('weight and spectral norm', weight_norms, 'pictures'),
    Case('cosine head without a module', cosine, 'pictures'), Case('sum of two heads', residual_head, 'pictures'),
    Case('layer called twice', shared_twice, 'pictures'), Case('spare layers, in-place steps, expanded buffer', spare, 'pictures'),
    Case('activations computed again', recomputed, 'pictures'), Case('torch.compile', compiled, 'pictures'),
    Case('torch.compile inside', compiled_inside, 'pictures'), Case('DataParallel', parallel, 'pictures'), Case('float64', double, 'pictures'),
    Case('bfloat16', bfloat, 'pictures', dict(settings=coarse)), Case('TorchScript', scripted, 'flat'), Case('batches of one, layer norm', layer_norm, 'pictures', dict(batch=1)),
    Case('batches of one, batch norm', mlp, 'pictures', dict(batch=1)),
    Case('labels: numbers', outputs(1), 'pictures', dict(y=thirds/10, loss=l1)),
    Case('labels: two classes, one logit', outputs(1), 'pictures', dict(y=(thirds > 0).long(), loss=bce)),
    Case('labels: two classes, one weighted logit', outputs(1), 'pictures',
        dict(y=(thirds > 0).long(), loss=nn.BCEWithLogitsLoss(pos_weight=torch.tensor([.5])))),
    Case('labels: several at once', outputs(4), 'pictures', dict(y=torch.rand(n, 4, generator=g) < .4, loss=bce)),
    Case('labels: soft', outputs(3), 'pictures', dict(y=torch.rand(n, 3, generator=g).softmax(1))),
    Case('labels: weighted classes', outputs(3), 'pictures', dict(loss=WeightedCrossEntropy((1., 2., 3.)))),
    Case('labels: weighted and smoothed classes', outputs(3), 'pictures',
        dict(loss=nn.CrossEntropyLoss(torch.tensor([1., 2., 3.]), label_smoothing=.1))),
    Case('labels: 100 classes', outputs(100), 'pictures', dict(y=torch.randint(0, 100, (n,), generator=g))),
    Case('labels: a whole class forgotten', outputs(3), 'pictures', dict(y=torch.cat([thirds[:-n_forget] % 2, torch.full((n_forget,), 2)])))]

untrainable = 'TorchScript', 'tokens, sparse embedding bag' # fused optimisers know no sparse gradients
strong = dict(ssd=dict(alpha=1.02, lam=.5), lfssd=dict(alpha=1.005, lam=.5), lotus=dict(unseen=-1.)) # their defaults select nothing in so small a set, or stop at once


def request_of(case):
    "A tiny request"
    transform = Transform() if case.x in ('tokens', 'named', 'ordered', 'mixed') else Transform((127.,), (70.,))
    data = Data(rows[case.x], case.how.get('y', thirds))
    return Request(data[:-n_forget], data[-n_forget:], transform, Recipe(2, .05, case.how.get('batch', 8), 'constant'),
        torch.Generator().manual_seed(1), make=case.make,
        loss=case.how.get('loss', F.cross_entropy))

@functools.cache
def original_of(case_name):
    "A trained network, and what its training left"
    case = next(c for c in networks if c.name == case_name)
    request,found = request_of(case), []
    with seeded(0):
        model = case.make()
        if case.name not in untrainable: # trained in batches, whatever the request does later
            data = request.retain + request.forget
            recipe = Recipe(2, .05, 8, 'constant')
            after = rewinder(model, data, recipe, 1, found.append)
            fit(model, data, recipe, request.transform, request.gen, objective=supervised(request.loss), after=after)
            request.transform = request.transform.suited_to(model)
            with answering(inner(model)): found.append(mean_gradient(inner(model), data, request))
    return model.eval(), dict(zip(('checkpoint', 'gradient'), found))

def state(model): return {k: v.clone() for k,v in model.state_dict().items()}
def shared(model):
    names = {}
    for k,v in inner(model).state_dict(keep_vars=True).items(): names.setdefault(v.data_ptr(), []).append(k)
    return sorted(v for v in names.values() if len(v) > 1)

def kept(model):
    "What no method may change, by name: frozen parameters, buffers of frozen parts, padding"
    model,found = inner(model), {}
    found |= {n: p.detach().clone() for n,p in model.named_parameters() if not p.requires_grad}
    still = frozen_memory(model)
    found |= {f'{n}.{k}': b.clone() for n,m in model.named_modules() if m in still for k,b in m.named_buffers(recurse=False)}
    for n,m in model.named_modules():
        if getattr(m, 'padding_idx', None) is not None: found[f'{n}.padding'] = m.weight[m.padding_idx].detach().clone()
    return found

def wrong(name, model, new, before, request):
    "What is wrong with an unlearned network; None when nothing is"
    now = state(new)
    if type(new) is not type(model) or now.keys() != before.keys(): return f'another network came back: {type(new).__name__}'
    if any(not torch.equal(v, before[k]) for k,v in state(model).items()): return 'the original changed'
    if not all(v.isfinite().all() for v in now.values() if v.is_floating_point()): return 'weights that are not finite'
    old = kept(model)
    if changed := [k for k,v in kept(new).items() if not torch.equal(v, old[k])]: return f'{changed[0]} changed'
    if shared(new) != shared(model): return f'shared weights are {shared(new)}, expected {shared(model)}'
    weights = [k for k,_ in model.named_parameters()]
    if all(torch.equal(now[k], before[k]) for k in weights) != (name == 'original'): return 'no weight changed, or the original\'s did'
    for m in model, new:
        if m._forward_hooks or m._forward_pre_hooks: return 'hooks were left behind'
    with torch.no_grad(), answering(new): z = new(request.transform.suited_to(new)(request.forget.x))
    return None if z.isfinite().all() else 'predictions that are not finite'

def cell(name, case):
    "`works`, the reason of a refusal, or `FAULT` with what is wrong"
    (model,extras),request = original_of(case.name), request_of(case)
    request.extras = extras
    trained = state(model)
    try:
        with seeded(2), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            new,_ = unlearn(name, model, request, **(strong | case.how.get('settings', {})).get(name, {}))
    except ValueError as e: # without the method's name and the list of others that could
        why = str(e).removeprefix(f'{name}: ').partition(' can be unlearned by')[0]
        return why if not request.cost.trained else f'FAULT refused after training: {why}'
    except Exception as e: return f'FAULT {type(e).__name__}: {" ".join(str(e).split())[:200]}'
    fault = wrong(name, model, new, trained, request)
    return f'FAULT {fault}' if fault else 'works'

def tabulate(names, cases):
    "A row for each cell"
    return pd.DataFrame([dict(network=c.name, method=m, found=cell(m, c)) for c in cases for m in names])

path = Path(__file__).resolve().parent.parent/'data/results/architectures.csv'

def save(found):
    "Write the rows, in the place of those that the file has for the same networks and methods"
    if path.is_file(): found = pd.concat([pd.read_csv(path, keep_default_na=False), found])
    found = found.drop_duplicates(['network', 'method'], keep='last')
    orders = dict(network=[c.name for c in networks], method=list(methods))
    found = found[found.network.isin(orders['network']) & found.method.isin(orders['method'])]
    place = [found[k].map({name: i for i,name in enumerate(names)}) for k,names in orders.items()]
    found.iloc[np.lexsort(place[::-1])].to_csv(path, index=False)

if __name__ == '__main__':
    torch.set_num_threads(1)
    asked,parts = ([w for w in sys.argv[1:] if (w in methods) == known] for known in (True, False))
    found = tabulate(asked or methods, [c for c in networks if not parts or any(w in c.name for w in parts)])
    save(found)
    works = found.found == 'works'
    print(f'{len(found)} cells, {works.sum()} work')
    for why,rows in found[~works].groupby('found'):
        print(len(rows), why, '|', '; '.join(sorted(set(rows.network)))[:200], '|', ', '.join(dict.fromkeys(rows.method))[:150])
