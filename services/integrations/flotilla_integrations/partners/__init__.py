"""Partners: programs outside that are told what happens, over a queue of their own or by webhooks.

They never bind the fleet's exchange. A dynamic lane takes the types that somebody subscribed to; what comes is kept
for a week in a window, numbered without gaps for each organization; and from there it is delivered, at first and
again, filtered and without what is personal unless that was asked for.

    handlers   events in: kept in the window, one row for each delivery
    turns      deliveries out: a leased turn of one subscription at a time
    replays    deliveries again, from a position or a moment
    provisioning   the queue, and the broker's user that can read nothing else
    rulings    what comes of turns for the subscription itself: ready, disabled
"""
