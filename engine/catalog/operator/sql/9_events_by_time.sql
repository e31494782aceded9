-- One day of the events that were set aside, in the order of time.

CREATE TABLE IF NOT EXISTS operator.main.event AS FROM aside.main.event WITH NO DATA;
INSERT INTO operator.main.event
FROM aside.main.event
WHERE ts >= DATE '2026-10-01' + getvariable('day')::INT AND ts < DATE '2026-10-01' + getvariable('day')::INT + 1
ORDER BY ts, subscriber_id, cell_id, event_type, tac;
