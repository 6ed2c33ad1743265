"""The nine configurations of configurations.ts in PyTorch, for `npm run bench -- --peer PYTHON`.

Speaks the protocol of worker.ts: on stdout first what it is, or an error, as one JSON object a line; then, for every
number of seconds that comes on stdin, the milliseconds of each step made in that time and the peak memory so far.

    python peer.py NAME THREADS SIZES       SIZES: a JSON object that replaces some of the configuration's own
"""
import json
import math
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    print(json.dumps({"error": f"this Python has no PyTorch ({error})"}), flush=True)
    sys.exit(1)

V = 17  # pixel values: 0 ... V - 1
LOG_2PI = math.log(2 * math.pi)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3)


def mlp(sizes, activation=nn.LeakyReLU, last=None):
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    layers[-1:] = [last()] if last else []
    return nn.Sequential(*layers)


def pixels(batch, D):
    return torch.randint(0, V, (batch, D))


def centred(batch, D):
    return pixels(batch, D) * (2 / (V - 1)) - 1


def log_normal(x, mu, log_var):
    """Summed over the last axis."""
    return -0.5 * (LOG_2PI + log_var + (x - mu) ** 2 * torch.exp(-log_var)).sum(-1)


def categorical_nll(x, logits):
    """[B, D], [B, D, V] -> [], the mean over the batch of the sum over D."""
    return F.cross_entropy(logits.reshape(-1, V), x.reshape(-1), reduction="sum") / x.shape[0]


class Model(nn.Module):
    """`loss()` draws its data and its noise; `step()` is one step of every optimiser."""

    def train_on(self):
        optimiser = adam(self.parameters())

        def step():
            optimiser.zero_grad()
            self.loss().backward()
            optimiser.step()

        return step


class Mixture(Model):
    def __init__(self, batch=64, D=64, K=25):
        super().__init__()
        self.size = batch, D
        self.logits = nn.Parameter(torch.zeros(K))
        self.mu = nn.Parameter(torch.rand(K, D))
        self.log_var = nn.Parameter(torch.zeros(K, D))

    def loss(self):
        x = (pixels(*self.size) / (V - 1)).unsqueeze(1)  # [B, 1, D]
        each = log_normal(x, self.mu, self.log_var) + torch.log_softmax(self.logits, 0)  # [B, K]
        return -torch.logsumexp(each, 1).mean()


class CausalConv(nn.Module):
    """[B, C, T] -> [B, O, T]; a strict one does not see the present."""

    def __init__(self, inputs, outputs, kernel, strict):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel)
        self.before, self.strict = kernel - 1 + strict, strict

    def forward(self, x):
        h = self.conv(F.pad(x, (self.before, 0)))
        return h[:, :, :-1] if self.strict else h


class ArmConv(Model):
    def __init__(self, batch=64, D=64, channels=256, kernel=7):
        super().__init__()
        self.size = batch, D
        sizes = [1, channels, channels, channels, V]
        layers = [CausalConv(i, o, kernel, n == 0) for n, (i, o) in enumerate(zip(sizes[:-1], sizes[1:]))]
        self.net = nn.Sequential(layers[0], *(part for layer in layers[1:] for part in (nn.LeakyReLU(), layer)))

    def loss(self):
        x = pixels(*self.size)
        return categorical_nll(x, self.net(x.float().unsqueeze(1)).transpose(1, 2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_heads, self.to_output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = mlp([width, 4 * width, width], nn.GELU)

    def attention(self, x, mask):
        B, T, width = x.shape
        d = width // self.heads
        q, k, v = self.to_heads(x).view(B, T, 3, self.heads, d).permute(2, 0, 3, 1, 4)  # each [B, H, T, d]
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(d) + mask, -1)
        return self.to_output((weights @ v).transpose(1, 2).reshape(B, T, width))

    def forward(self, x, mask):
        h = x + self.attention(self.before_attention(x), mask)
        return h + self.mlp(self.before_mlp(h))


class ArmTransformer(Model):
    def __init__(self, batch=64, D=64, width=64, heads=4, blocks=4):
        super().__init__()
        self.size = batch, D
        self.values, self.positions = nn.Embedding(V + 1, width), nn.Embedding(D, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, V)
        self.register_buffer("mask", torch.full((D, D), -math.inf).triu(1))

    def loss(self):
        x = pixels(*self.size)
        before = torch.cat([torch.full((x.shape[0], 1), V), x[:, :-1]], 1)
        h = self.values(before) + self.positions(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h, self.mask)
        return categorical_nll(x, self.head(self.norm(h)))


class RealNvp(Model):
    def __init__(self, batch=64, D=64, flows=8, width=256):
        super().__init__()
        self.size = batch, D
        sizes = [D // 2, width, width, D // 2]
        self.s = nn.ModuleList(mlp(sizes, last=nn.Tanh) for _ in range(flows))
        self.t = nn.ModuleList(mlp(sizes) for _ in range(flows))

    def loss(self):
        x = pixels(*self.size).float()
        z, log_det = x + torch.rand_like(x), 0
        for s, t in zip(self.s, self.t):
            a, b = z.chunk(2, 1)
            scale = s(a)
            z = torch.cat([a, (b - t(a)) * torch.exp(-scale)], 1).flip(1)
            log_det = log_det - scale.sum(1)
        zero = torch.zeros(())
        return -(log_normal(z, zero, zero) + log_det).mean()


class Vae(Model):
    def __init__(self, batch=64, D=64, L=16, width=256):
        super().__init__()
        self.size = batch, D
        self.encoder = mlp([D, width, width, 2 * L])
        self.decoder = mlp([L, width, width, D * V])

    def loss(self):
        x = pixels(*self.size)
        mu, log_var = self.encoder(x.float()).chunk(2, 1)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        kl = 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(1)
        return kl.mean() + categorical_nll(x, self.decoder(z).view(*x.shape, V))


class Ddgm(Model):
    beta = 0.9

    def __init__(self, batch=64, D=64, T=5, width=256):
        super().__init__()
        self.size, self.T = (batch, D), T
        self.steps = nn.ModuleList(mlp([D, width, width, width, 2 * D]) for _ in range(T - 1))
        self.decoder = mlp([D, 2 * width, 2 * width, 2 * width, D], last=nn.Tanh)

    def loss(self):
        x, beta = centred(*self.size), self.beta
        z = [x]
        for _ in range(self.T):
            z.append(math.sqrt(1 - beta) * z[-1] + math.sqrt(beta) * torch.randn_like(x))
        kl = 0
        for i, step in enumerate(self.steps):
            mu, log_var = step(z[i + 2]).chunk(2, 1)
            squares = beta + (math.sqrt(1 - beta) * z[i] - mu) ** 2
            kl = kl + 0.5 * (log_var - math.log(beta) - 1 + squares * torch.exp(-log_var)).sum(1)
        return (kl - log_normal(x, self.decoder(z[1]), torch.zeros(()))).mean()


class FlowMatching(Model):
    def __init__(self, batch=64, D=64, width=512):
        super().__init__()
        self.size = batch, D
        self.time = nn.Sequential(nn.Linear(1, D), nn.Tanh())
        self.velocity = mlp([D, width, width, width, D], nn.SELU)

    def loss(self):
        x, t = centred(*self.size), torch.rand(self.size[0], 1)
        start = torch.randn_like(x)
        v = self.velocity((1 - t) * start + t * x + self.time(t))
        return ((v - (x - start)) ** 2).sum(1).mean()


class Jem(Model):
    def __init__(self, batch=64, D=64, classes=10, width=512, steps=20):
        super().__init__()
        self.size, self.classes, self.steps = (batch, D), classes, steps
        self.net = mlp([D, width, width, width, classes], nn.ELU)

    def negative_energy(self, x):
        return torch.logsumexp(self.net(x), 1)

    def loss(self):
        x, y = centred(*self.size), torch.randint(0, self.classes, self.size[:1])
        sample = 2 * torch.rand(self.size) - 1
        for _ in range(self.steps):
            sample.requires_grad_()
            (uphill,) = torch.autograd.grad(self.negative_energy(sample).sum(), sample)
            sample = (sample + uphill + 0.01 * torch.randn_like(sample)).detach()
        logits = self.net(x)
        nll = F.cross_entropy(logits, y, reduction="none")
        return (nll - torch.logsumexp(logits, 1) + self.negative_energy(sample)).mean()


class Gan(Model):
    def __init__(self, batch=64, D=64, L=16, width=128):
        super().__init__()
        self.size, self.L = (batch, D), L
        self.generator = mlp([L, width, D], nn.ReLU, nn.Tanh)
        self.critic = mlp([D, width, 1], nn.ReLU)

    def train_on(self):
        of_generator, of_critic = adam(self.generator.parameters()), adam(self.critic.parameters())

        def step():
            x, noise = centred(*self.size), torch.randn(self.size[0], self.L)
            fake = self.generator(noise).detach()
            loss = F.softplus(-self.critic(x)).mean() + F.softplus(self.critic(fake)).mean()
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            loss = F.softplus(-self.critic(self.generator(noise))).mean()
            of_generator.zero_grad()
            loss.backward()
            of_generator.step()

        return step


MODELS = {
    "mixture": Mixture,
    "arm-conv": ArmConv,
    "arm-transformer": ArmTransformer,
    "realnvp": RealNvp,
    "vae": Vae,
    "ddgm": Ddgm,
    "flow-matching": FlowMatching,
    "jem": Jem,
    "gan": Gan,
}


def peak_mib():
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def timed(step):
    start = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - start)


def turn(step, seconds):
    """At least one step; one more before them is not counted."""
    step()
    ms, end = [], time.perf_counter() + seconds
    while not ms or time.perf_counter() < end:
        ms.append(timed(step))
    return {"ms": ms, "peakMiB": peak_mib()}


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    name, threads, sizes = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    model = MODELS[name](**json.loads(sizes))
    step = model.train_on()
    first = timed(step)
    parameters = sum(p.numel() for p in model.parameters())
    answer({"version": f"PyTorch {torch.__version__}", "parameters": parameters, "firstMs": first})
    for line in sys.stdin:
        answer(turn(step, float(line)))


if __name__ == "__main__":
    main()
