#!/usr/bin/env python3
"""Writes update_values.h: what torch.optim, transformers' Adafactor and trax's optimisers (their formulas in numpy) make of
seven tensors in six steps, in double.     python3 update_values.py > update_values.h     (needs torch, transformers)"""
import numpy as np, torch, transformers

SHAPES = [(64, 32), (8, 1, 16), (1, 8, 16), (32,), (64,), (7, 5), (96, 64)]
STEPS = 6
torch.set_num_threads(1)


class Numbers:
    """those of test_update.c: -1 .. 1, exact in float32"""
    def __init__(self, seed): self.bits = seed

    def next(self):
        self.bits = (self.bits * 1664525 + 1013904223) % 2 ** 32
        return (self.bits >> 8) * 2.0 ** -23 - 1

    def array(self, shape, scale): return np.array([self.next() * scale for _ in range(int(np.prod(shape)))]).reshape(shape)


def gradients(k):
    """small and large ones in turn; that of tensor 5 vanishes once"""
    n = Numbers(100 + k)
    gs = [n.array(s, 2.0 ** -(3 * k % 8)) for s in SHAPES]
    if k == 3: gs[5][:] = 0
    return gs


def rate(lr, k): return lr * (k + 1) / STEPS


def weights():
    n = Numbers(1)
    return [n.array(s, 0.25) for s in SHAPES]


# ---- torch, transformers

def run_torch(make, lr, max_norm, decay):
    ps = [torch.nn.Parameter(torch.from_numpy(w)) for w in weights()]
    groups = [{'params': [p for p in ps if p.ndim >= 2], 'weight_decay': decay}, {'params': [p for p in ps if p.ndim < 2], 'weight_decay': 0.0}]
    opt = make(groups)
    for k in range(STEPS):
        for p, g in zip(ps, gradients(k)): p.grad = torch.from_numpy(g)
        norm = torch.nn.utils.clip_grad_norm_(ps, max_norm if max_norm else float('inf'))
        if lr is not None:
            for g in opt.param_groups: g['lr'] = rate(lr, k)
        opt.step()
    return [p.detach().numpy() for p in ps], float(norm)


# ---- trax

def trax_adam(p, g, s, t, lr, wd, b1, b2, eps):
    s.setdefault('m', 0 * p), s.setdefault('v', 0 * p)
    s['m'] = (1 - b1) * g + b1 * s['m']
    s['v'] = (1 - b2) * g ** 2 + b2 * s['v']
    mhat, vhat = s['m'] / (1 - b1 ** (t + 1)), s['v'] / (1 - b2 ** (t + 1))
    return (1 - wd) * p - lr * mhat / (np.sqrt(vhat) + eps)


def trax_momentum(p, g, s, t, lr, wd, mass):
    s['v'] = mass * s.get('v', 0) + g
    return (1 - wd) * p - lr * (mass * s['v'] + g)


def trax_adafactor(p, g, s, t, lr, wd, beta1, e1=1e-16, e2=1e-3, clip=1.0):
    rho = 1 - (t + 1.0) ** -0.8
    scale = lr * max(np.sqrt(np.mean(p * p)), e2)
    g2 = g * g
    if p.ndim >= 2:
        s['r'] = rho * s.get('r', 0) + (1 - rho) * g2.mean(-1)
        s['c'] = rho * s.get('c', 0) + (1 - rho) * g2.mean(-2)
        y = g * np.sqrt(s['r'].mean(-1, keepdims=True) / (s['r'] + e1))[..., None] * ((s['c'] + e1) ** -0.5)[..., None, :]
    else:
        s['v'] = rho * s.get('v', 0) + (1 - rho) * g2
        y = g * (s['v'] + e1) ** -0.5
    u = scale * y / max(1.0, np.sqrt(np.mean(y * y)) / clip)
    if beta1 is not None:
        s['m'] = beta1 * s.get('m', 0) + (1 - beta1) * u
        u = s['m']
    return (1 - wd) * p - u


def run_trax(update, lr, max_norm, decay, **keys):
    ps, states = weights(), [{} for _ in SHAPES]
    for k in range(STEPS):
        gs = gradients(k)
        norm = np.sqrt(sum(np.sum(g * g) for g in gs))
        c = min(1.0, max_norm / (norm + 1e-6)) if max_norm else 1.0
        ps = [update(p, c * g, s, k + 1, rate(lr, k), decay if p.ndim >= 2 else 0.0, **keys) for p, g, s in zip(ps, gs, states)]
    return ps, float(norm)


# ---- cases: what, the rule in C, lr, max_norm, decay, how

def t(cls, **keys): return lambda *a: run_torch(lambda groups: cls(groups, **keys), *a)
def x(update, **keys): return lambda *a: run_trax(update, *a, **keys)


O, A = torch.optim, transformers.Adafactor
ADAM = '.betas = {%s, %s}, .eps = {%s}'
FACTOR = '.type = REFORMER_ADAFACTOR, .eps = {%s, 1e-3}, .decay_rate = -0.8, .clip_threshold = %s, .beta1 = %s'
CASES = [
    ('AdamW', '.type = REFORMER_ADAMW, ' + ADAM % (.9, .999, 1e-8), 1e-2, 0, .01, t(O.AdamW, betas=(.9, .999), eps=1e-8)),
    ('AdamW, clipped', '.type = REFORMER_ADAMW, ' + ADAM % (.9, .95, 1e-6), 3e-2, 1.5, .1, t(O.AdamW, betas=(.9, .95), eps=1e-6)),
    ('AdamW of short memory', '.type = REFORMER_ADAMW, ' + ADAM % (.3, .95, 1e-8), 3e-2, 0, 0, t(O.AdamW, betas=(.3, .95))),
    ('Adam', '.type = REFORMER_ADAM, ' + ADAM % (.9, .98, 1e-9), 1e-2, 0, .1, t(O.Adam, betas=(.9, .98), eps=1e-9)),
    ('SGD', '.type = REFORMER_SGD', .1, 0, 0, t(O.SGD)),
    ('SGD with decay', '.type = REFORMER_SGD', .1, 2.0, .05, t(O.SGD)),
    ('SGD with momentum', '.type = REFORMER_SGD, .momentum = 0.9, .dampening = 0.5', .05, 0, .01, t(O.SGD, momentum=.9, dampening=.5)),
    ("SGD with Nesterov's momentum", '.type = REFORMER_SGD, .momentum = 0.9, .nesterov = 1', .05, 0, .01, t(O.SGD, momentum=.9, nesterov=True)),
    ('Adafactor', FACTOR % (1e-30, '1', -1) + ', .scale_parameter = 1, .relative_step = 1', None, 0, 0, t(A)),
    ('Adafactor that warms up', FACTOR % (1e-30, '1', -1) + ', .scale_parameter = 1, .relative_step = 1, .warmup_init = 1', None, 1.0, 0, t(A, warmup_init=True)),
    ('Adafactor with a mean of updates', FACTOR % (1e-30, '1', .9) + ', .scale_parameter = 1, .relative_step = 1', None, 0, .01, t(A, beta1=.9)),
    ('Adafactor at a rate', FACTOR % (1e-30, '1', -1), 1e-2, 0, .1, t(A, lr=1e-2, scale_parameter=False, relative_step=False)),
    ('Adafactor, clipped early', FACTOR % (1e-30, '0.5', -1) + ', .scale_parameter = 1', .1, 0, .1, t(A, lr=.1, relative_step=False, clip_threshold=.5)),
    ("trax's Adam", '.type = REFORMER_ADAM, .dialect = REFORMER_TRAX, ' + ADAM % (.9, .98, 1e-5), 1e-2, 0, 1e-3, x(trax_adam, b1=.9, b2=.98, eps=1e-5)),
    ("trax's Momentum", '.type = REFORMER_SGD, .dialect = REFORMER_TRAX, .momentum = 0.9, .nesterov = 1', .05, 0, 1e-3, x(trax_momentum, mass=.9)),
    ("trax's Adafactor", FACTOR % (1e-16, '1', -1) + ', .dialect = REFORMER_TRAX, .scale_parameter = 1', .1, 0, 1e-3, x(trax_adafactor, beta1=None)),
    ("trax's Adafactor with a mean of updates", FACTOR % (1e-16, '1', .9) + ', .dialect = REFORMER_TRAX, .scale_parameter = 1', .1, 3.0, 0, x(trax_adafactor, beta1=.9)),
]


def places(shape):
    n = int(np.prod(shape))
    return [0, n // 2, n - 1]


print('/* Made by update_values.py: after %d steps the first, the middle and the last element of each tensor; the last norm. */' % STEPS)
print('/* clang-format off */')
for what, rule, lr, max_norm, decay, run in CASES:
    ps, norm = run(lr, max_norm, decay)
    rule += ', .lr = %s, .weight_decay = %s' % (lr or 0, decay)
    print('{"%s", {%s}, %s, %.17g, {' % (what, rule, max_norm, norm))
    print(',\n'.join('    {' + ', '.join('%.17g' % p.flat[i] for i in places(p.shape)) + '}' for p in ps) + '}},')
