"""AMQP 0-9-1 for the hot path alone: publishing what was committed, consuming into batches.

One connection does one thing over one channel, so that whatever goes wrong has one remedy: connect again. All
else (topology, bindings, tests) uses aio-pika; the frames that are rare here (handshake, errors) are pamqp's.

    frames      bytes out: a message is a precomputed head, its size, its id, its body
    reader      bytes in: one pass over the buffer, bodies copied once
    connection  handshake, heartbeats both ways, close with reasons, back-pressure
    publisher   many messages, one write, confirms counted; returned and refused ones named
    consumer    deliveries gathered until there are enough or the time is up

Sections named in comments are those of the AMQP 0-9-1 specification.
"""
