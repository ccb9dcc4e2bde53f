"""Any mixture of delivery, loss, duplicates, reorder, other cuts, heartbeats, silence and restarts, on two lines."""

from feed_exchange import STEPS, Damaged, Exchange

TestLines = Exchange.TestCase
TestLines.settings = STEPS

TestDamaged = Damaged.TestCase
TestDamaged.settings = STEPS
