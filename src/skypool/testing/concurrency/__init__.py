"""Many processes and threads at one pool, killed or not, and what must hold afterwards.

`work` does what users do and writes journals outside of the pool; `ledger` replays the pool's
log by itself; `judge` compares journals, log and pool; `kill` and `crowd` are the campaigns
(docs/design/008-many-at-once.md).
"""
