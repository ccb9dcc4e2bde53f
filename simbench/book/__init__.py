"""Books out of events: order by order, by price and by level number, in one relocatable array of integers."""
