"""Arguments of the wrong type: nonlazy's own error, in a process without the tests' type checks."""

import json
import subprocess
import sys


REQUESTS = [
    "Planted(1)",
    "Planted('110')",
    "Planted(((1, 0),), 'abc')",
    "Annealed('a')",
    "Annealed(iterations=2.5)",
    "Continuation((0.0,), iterations=True)",
    "Continuation(0.5)",
    "HMC(jitter='a')",
    "HMC(target_acceptance='high')",
    "HMC(max_steps=True)",
    "Rotations(attempts=1.5)",
    "Jumps(every='a')",
    "Langevin(step_size=True)",
    "nl.Network(2.0)",
    "nl.Network(10, readout='rich')",
    "nl.Network(10, activation=3)",
    "nl.Posterior(nl.Network(5), task, True)",
    "nl.Posterior(nl.Network(5), task, 'cold')",
    "nl.Posterior(nl.Network(5), task, None)",
    "nl.sample(posterior, draws=2, store='x' * 300)",
    "nl.sample(posterior, draws='two')",
    "nl.tasks.toy('a', 5)",
]
SCRIPT = """
import json, sys
import nonlazy as nl
from nonlazy.errors import NonlazyError
from nonlazy.sampling import HMC, Annealed, Continuation, Jumps, Langevin, Planted, Rotations

task = nl.tasks.toy(6, 8)
posterior = nl.Posterior(nl.Network(5), task, 0.1)
outcomes = {}
for request in json.loads(sys.argv[1]):
    try:
        eval(request)
        outcomes[request] = "accepted"
    except NonlazyError:
        outcomes[request] = "refused"
    except Exception as error:
        outcomes[request] = f"{type(error).__name__}: {error}"
print(json.dumps(outcomes))
"""


def test_they_are_refused_by_name(tmp_path):
    command = [sys.executable, "-c", SCRIPT, json.dumps(REQUESTS)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    outcomes = json.loads(done.stdout)
    assert {request: outcome for request, outcome in outcomes.items() if outcome != "refused"} == {}
    assert list(tmp_path.iterdir()) == []
