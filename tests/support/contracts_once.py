"""Contracts of parts that several heads rely on, proved once in a session of tests."""

from softstream.hw.contracts.catalogue import contract_of
from softstream.sim.proofs import stores

__all__ = ["prove_contracts_once"]

_PROVED = {}


def prove_contracts_once(monkeypatch):
    """Lets proofs take the verdicts of an earlier proof of the same contract in this process.

    Not for tests that change a part: the verdicts are those of the part as it is.
    """
    honest = stores.prove_contract

    def remembered(part, *, contract=contract_of, **limits):
        stated = contract(part)
        key = type(stated).__name__, stated.title
        if key not in _PROVED:
            _PROVED[key] = honest(part, contract=contract, **limits)
        return _PROVED[key]

    monkeypatch.setattr(stores, "prove_contract", remembered)
