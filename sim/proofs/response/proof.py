"""Proof that a head answers in time, at its full size: no deadlock, from any reachable state, without a bound on time.

Proved is: in n cycles in a row in which all outputs are taken and there is no reset, a beat that waits at `s_axis` is taken, and
each vector that is complete has its answer at every output. The number n is printed. It follows from the number and the order of
beats and ends (`counting`), which is proved first, and from these statements, each proved for all inputs and all time:

* from some cycles after the outputs are taken on, what a queue or a register of winners offers is taken in every cycle;
* where the credits of the gate behind the frame are available, and its spacing is free, the beat that the frame offers enters;
* the spacing counts ends and waits for nothing but the credits of vectors; it is free in time, as its contract says;
* a credit is available as soon as enough has come back (`CreditResponse`); a queue behind a credit empties, and while it is
  emptied, its credit stays available if that covers what is on the way (`LoopResponse`); so do registers of winners;
* the ring learns of a complete vector a fixed number of cycles after its end has entered, and has room if and only if the credit
  of the queue behind it is available; it hands out an element as soon as it has room and its spacing is free (`ReplayResponse`);
* the credit of a vector's factor comes back a fixed number of cycles after the vector's first element has left the ring;
* the first element of a vector takes the credit of its draw behind the ring; a draw by a search is one of the element that came a
  fixed number of cycles before, and there is one for each vector, as the number of beats says; so it comes as many cycles after
  the vector's last element at the latest, and the credit stays available as that of a queue does (`DrawLoopResponse`).

While the gate is closed nothing enters, so everything behind it comes to an end: pipes are empty after their cycles, queues and
registers after theirs, and from V cycles on every vector whose end has entered is complete, so that the ring hands out its
elements, each r cycles after the one before, until only those of the unfinished vector are left. Then all is given back but less
than max_length elements, which leave credits over; so the gate opens. With E credits of elements, r cycles for each, x elements
that left meanwhile, and δ cycles until the outputs are taken and the ring has room:

    the gate was closed for    max(V + r·x + T, U)  cycles at most, T from the ring to a credit, U for all other credits
    input                      δ + max(V + r·E + T, U)
    answer                     δ + max(V + T, U) + V + r·(E + 1) + Q, Q from the ring to the output

For the answer, the beat that ends the vector enters behind at most E − x elements, is complete V cycles later, and leaves the
ring at most r·(E − x + 1) cycles after that, in its turn. Heads without a ring have V = r = 0 and T = 0.

Where a search draws, the factor is the threshold, which the search asks for with the vector's first element, and Q begins as the
vector's last element leaves the ring: it is read, the draw comes, and those before it leave the queue.

The one-hot stage and the store of a list stand in the place of the ring: they give the results of one vector after the other.
Then E counts vectors, r is the number of results of the longest, and the gate opens when so many vectors have left as its credit
has in reserve, and one more. In a list with probabilities a vector waits for its factor, and an element for a credit (`lists`).

Where two queues hold parts of one result, such as winner and entropy, both parts take the same credit in turn, and leave in the
same cycle. One of them arrives later by a fixed number of cycles. So the other one is offered wherever it is (`PairResponse`),
and the two queues are as one of the later parts.

Ends that take a credit are apart, so fewer are on the way. If the credit covers these, one waits in the queue while more are out
than the credit allows, and it is available as soon as the few have left that it has in reserve. The spacing of the gate counts
from the last end on, whether the outputs are taken or not. So a gate without a ring opens I cycles after the last end, or U
cycles after the outputs are taken, and a few cycles for its register.

A head without a credit (argmax, sigmoid, draws with Gumbel noise) is a row of stages under a clock enable. Proved is that it
moves in each cycle, from some cycles after the outputs are taken on, and how many cycles a beat and an end then take.

What may stand around such a head (`surroundings`) adds cycles. Before the frame, stages under the clock enable of a skid buffer
hold up to F beats: the one that drops null beats, the product with a temperature, and the sums of an ensemble, which give up to
max_length beats for a short last member before they take another one. The skid buffer opens as soon as the frame has taken a
beat of it. Behind an end that enters, the gate may be closed until that vector is complete, but behind any other beat only until
an element leaves, since the ring holds elements of complete vectors then. So F beats of which e are ends take

    e · max(V + T, U) + F · (r + 2)    cycles more.

A vector may also take a credit before the frame that comes back with its result: of the mark of a group, the flags of an
ensemble, or the mass that a floor leaves. If it is not available, vectors that are complete have it; these are answered, and
give it back. It is available then until the next end passes. A group is complete with the beat that tells whether its packet
goes on: where null beats are dropped, this is the beat behind its last one, or that one if it ends the packet. Stages behind the
queue add the cycles that they take, and pauses in which they take nothing. Argmax beside a head with temperatures gets its beats
from a fork that serves the head as well.

Softmax in two passes takes one vector after the other. Its contract measures what is left to do of a vector by the registers
of the three passes (`TwoPassResponse`): while the outputs are taken, the input is closed for C(n) cycles at most behind a vector
of n elements, and opens c cycles after the last result and the winner have left. The inputs and the outputs of the head are
those of this part. A vector whose end has entered is answered before the next one enters, so

    input                      C(max_length) + 1
    answer                     C(max_length) − c + 1

Of the F beats between the input and the passes each may be a vector of one element, for which the input of the passes is closed
for C(1) cycles, after the one in which the beat enters. While it is open and the skid buffer is empty, the beats move; this takes
up to W cycles, those of the stage that drops null beats and of the skid buffer, because beats that follow are right behind. So
an answer takes F · (C(1) + 1) + W cycles more, and a free input one more than without these beats. It is no later if the beats
belong to longer vectors, or one of them to the vector inside: C is C(0) and so much for each element, and at most max_length + F
elements are inside and in front.

Where a search draws among a list, the list stands before the gate of the ring and has a gate of its own (`front_list`).

Not covered, and refused: heads in which something else stands on a path, such as two passes with other stages, softmax of a list
of several lanes, and searches among a list with probabilities or bounds.
"""

import time

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.modes.two_pass import TwoPass
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import observed
from softstream.sim.proofs.proof import Progress, Proof
from softstream.sim.proofs.refusal import Uncovered, refusal
from softstream.sim.proofs.response.bound import Bound
from softstream.sim.proofs.response.front_list import ListSearchBound
from softstream.sim.proofs.response.gate import GatedHead
from softstream.sim.proofs.response.surroundings import is_gated
from softstream.sim.proofs.response.two_passes import PassesBound, TwoPassHead
from softstream.sim.proofs.response.ungated import UngatedHead

__all__ = ["is_answered", "prove_response", "response_bound", "response_of"]


def response_of(config: Config) -> GatedHead | UngatedHead | TwoPassHead:
    """What the response of a head depends on. Raises `Uncovered` for a head that is not covered."""
    paths, places = counting.paths_of(config), counting.places_of(observed(config))
    if any(isinstance(place.part, TwoPass) for place in places):
        return TwoPassHead(config, paths)
    return (GatedHead if is_gated(places, paths) else UngatedHead)(config, paths)


def _covered(config: Config) -> tuple[GatedHead | UngatedHead | TwoPassHead, Bound | ListSearchBound | PassesBound]:
    """What the response of a head depends on, and its cycles. Raises `UserError` with a remedy for one that is not covered."""
    try:
        response = response_of(config)
        return response, response.bound
    except Uncovered as error:
        raise refusal(error, config, is_answered) from None


def response_bound(config: Config) -> Bound | ListSearchBound | PassesBound:
    """The cycles within which a head answers. Raises `UserError` for a head that is not covered."""
    return _covered(config)[1]


def prove_response(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves that a beat that waits is taken and a vector that is complete is answered in so many cycles.

    Arguments and errors are those of a `Prover`; raises `UserError` for a head that is not covered. `verilog` is not read.
    """
    began = time.monotonic()
    progress(0.0, "finding the parts")
    response, bound = _covered(config)
    response.state()
    within = (("answer to each complete vector", bound.cycles), ("free input", bound.input))
    results = [f"{name} within {cycles} cycles in which all outputs are taken" for name, cycles in within]
    return counting.prove_from_counting(
        response.head, response.contracts(), results, began=began, seconds=seconds, progress=progress
    )


def is_answered(config: Config) -> bool:
    """Whether the response of a head is covered, so that `prove_response` does not refuse it."""
    try:
        return response_of(config).bound is not None
    except UserError:
        return False
