//! Room 1 too: the WebSocket protocol as bytes in, messages out, and the other way round. No IO, no clock.
