"""A page to look at: the plots of results that commands wrote as JSON."""
