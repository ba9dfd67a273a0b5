"""Faults in which a gate, an approval or a rollback believes something that stands for the truth.

Each test asserts what is right. One that fails today is marked as a strict expected failure whose
reason names its kind: A1 clocks, A2 identity, A3 evidence, A4 baseline, A5 saves of others,
A6 approvals, B conditions that pass, F how a process ends.
"""
