-- Where each person is, hour by hour, and when the network sees them: in bursts, and now and then on the way.

-- one row per (person, day): how many bursts, and the plan: [0, leave) home, [leave, back) out, in it work until wend
CREATE OR REPLACE TEMP TABLE person_day AS
WITH present AS (
  SELECT p.*, d.day, d.date, d.dow < 6 AS weekday, d.busy, draw(p.a, d.day, 21) AS pd
  FROM person p JOIN day d ON d.day BETWEEN first_day AND last_day AND NOT d.day BETWEEN gone_from AND gone_from + 6),
planned AS (
  SELECT *, bursts_a_day * busy * (0.35 + 0.65 * exponential(draw(pd, 0, 1))) AS expected,
         floor(expected + unit(draw(pd, 0, 2)))::INT AS bursts,
         employed AND draw(pd, 0, 8) % 100 < CASE WHEN weekday THEN 84 ELSE 14 END AS works,
         draw(pd, 0, 3) % 100 < CASE WHEN weekday THEN 16 ELSE 24 END + [0, 4, 16][third + 1] AS rests,
         CASE WHEN weekday THEN 6 ELSE 8 END + [1, 0, 0][third + 1]
           + (draw(pd, 0, 4) % 2 + draw(pd, 0, 5) % 3)::INT AS leaves,
         15 + (draw(pd, 0, 6) % 4)::INT AS wend,
         [2, 0, 0][third + 1] + (draw(pd, 0, 7) % 3 + draw(pd, 0, 9) % 4)::INT AS later,
         draw(pd, 0, 10) % 100 < [13, 8, 4][third + 1] AS away
  FROM present)
SELECT *, CASE WHEN rests AND NOT works THEN 24 ELSE leaves END AS leave, least(24, wend + 1 + later) AS back
FROM planned WHERE bursts > 0;

-- one row per burst: its hour and what the person does then: 0 at home, 1 at work, 2 out, 3 a night elsewhere
CREATE OR REPLACE TEMP TABLE activity_burst AS
WITH each AS (SELECT *, unnest(range(bursts)) AS i FROM person_day),
timed AS (
  SELECT e.*, draw(pd, i, 31) AS b, h.hour
  FROM (SELECT *, draw(pd, i, 30) % 4096 AS slot FROM each) e
  JOIN active_hour h ON h.profile = e.profile AND h.dow = isodow(e.date) AND h.slot = e.slot),
doing AS (
  SELECT *, CASE
    WHEN tracker THEN 2 WHEN segment = 'm2m' THEN 0
    WHEN nights AND works THEN CASE WHEN hour >= 22 OR hour < 6 THEN 1 WHEN hour < 15 OR hour >= 20 THEN 0 ELSE 2 END
    WHEN hour < leave OR hour >= back THEN CASE WHEN away THEN 3 ELSE 0 END
    WHEN works AND hour > leave AND hour < wend AND (hour <> 13 OR draw(pd, 0, 11) % 2 = 0) THEN 1
    ELSE 2 END AS does
  FROM timed),
-- a span is a time in one spot: the morning, the evening, work before and after noon, an outing. An outing lasts three
-- hours, or six; beside work, an hour before, an hour at noon, and what is left after
marked AS (
  SELECT *, tracker OR (works AND NOT nights AND hour < wend) AS short,
         CASE WHEN draw(pd, hour // 6, 43) % 100 < 35 THEN 6 ELSE 3 END AS lasting
  FROM doing)
SELECT *, CASE WHEN does = 0 OR does = 3 THEN (hour >= leave)::INT WHEN does = 1 THEN 2 + (hour >= 13)::INT
               WHEN short THEN 100 + hour ELSE 10 * lasting + hour // lasting END AS span,
       CASE WHEN does = 0 OR does = 3 THEN CASE WHEN hour < leave AND NOT nights THEN leave ELSE 24 END
            WHEN does = 1 AND nights THEN CASE WHEN hour < 6 THEN 6 ELSE 24 END
            WHEN does = 1 THEN CASE WHEN hour < 13 THEN 13 ELSE wend END
            WHEN short THEN hour + 1
            ELSE least((hour // lasting + 1) * lasting, CASE WHEN nights THEN 20 ELSE back END) END AS until_hour
FROM marked
-- at home the telephone is often on the wireless network of the house, at work sometimes: the operator sees less of it
WHERE segment = 'm2m' OR draw(b, 0, 67) % 100 >= [55, 30, 0, 55][does + 1];

-- one row per burst, with the cell where it happens
CREATE OR REPLACE TEMP TABLE burst AS
WITH chosen AS (SELECT *, draw(pd, span, 41) AS s, (hour >= 18)::INT AS evening FROM activity_burst),
-- an outing is a habit, drawn once a span: the nearest to home of two places, for the old of three; or the first, however
-- far it is
habits AS (
  SELECT c.*, CASE WHEN tracker THEN s ELSE draw(c.a, nth, 51) END AS habit
  FROM chosen c JOIN habit ON habit.slot = s % 1024),
candidates AS (
  SELECT h.*, f.cell AS friends, draw(habit, 0, 56) % 1000 AS lot, p.place AS first, q.place AS second, r.place AS third_one,
         kilometres(home_x, home_y, p.x, p.y) AS km_1, kilometres(home_x, home_y, q.x, q.y) AS km_2,
         CASE WHEN third = 2 THEN kilometres(home_x, home_y, r.x, r.y) ELSE 99 END AS km_3
  FROM habits h
  JOIN outing o ON o.grp = h.grp AND o.evening = h.evening AND o.slot = draw(habit, 0, 53) % 4096
  JOIN outing n ON n.grp = h.grp AND n.evening = h.evening AND n.slot = draw(habit, 0, 54) % 4096
  JOIN outing m ON m.grp = h.grp AND m.evening = h.evening AND m.slot = draw(habit, 0, 58) % 4096
  JOIN spot p ON p.place = o.place JOIN spot q ON q.place = n.place JOIN spot r ON r.place = m.place
  JOIN choice f ON f.purpose = 'home' AND f.slot = draw(habit, 0, 55) % 65536),
picked AS (
  SELECT *, CASE WHEN draw(habit, 0, 52) % 100 < [50, 30, 10][third + 1] + 8 * man OR km_1 <= least(km_2, km_3) THEN first
                 WHEN km_2 <= km_3 THEN second ELSE third_one END AS place
  FROM candidates),
-- one outing in ten stays at home after all, one in ten goes to friends
settled AS (
  SELECT c.*, dwell_median, does = 2 AND lot >= 200 AS at_place,
         CASE WHEN does = 0 OR (does = 2 AND lot < 100 AND NOT tracker) THEN home_cell WHEN does = 1 THEN work_cell
              WHEN does = 3 THEN second_cell WHEN lot < 200 THEN friends
              ELSE (site - 1) * 3 + 1 + draw(s, 0, 57) % 3 END AS anchor
  FROM picked c JOIN spot USING (place))
SELECT subscriber_id, date, pd, b, s, span, does, at_place, dwell_median, third, man, anchor, until_hour, speed, tac, mcc,
       segment <> 'm2m' OR tracker AS moves, t.x, t.y, hour * 3600 + (draw(b, 0, 61) % 3600)::INT AS begins,
       -- one comes from home, or, once at work, from there
       works AND (does = 0 OR (does = 2 AND hour > leave)) AS from_work, home_x, home_y, work_x, work_y
FROM settled JOIN served t ON t.cell = anchor;

-- one row per sighting in a burst: the first at its beginning, the last when its stay ends
CREATE OR REPLACE TEMP TABLE sighting AS
WITH sized AS (
  SELECT subscriber_id, date, b, s, anchor, begins, tac, mcc,
         CASE WHEN draw(b, 0, 62) % 100 < CASE WHEN does = 2 THEN 14 ELSE 25 END THEN 1
              ELSE 2 + floor(exponential(draw(b, 0, 63)) * 1.4)::INT END AS n,
         CASE WHEN at_place THEN dwell_median * 60 * [0.8, 1.0, 1.3][third + 1] * [1.1, 0.85][man + 1]
                                 * exp(0.8 * normal(draw(b, 0, 64)))
              ELSE CASE WHEN does = 1 THEN 5400 ELSE 2700 END * exponential(draw(b, 0, 64)) END AS wanted,
         until_hour * 3600 - begins - 1200 AS allowed
  FROM burst),
each AS (SELECT *, greatest(45, least(wanted, allowed)) AS lasts, unnest(range(n)) AS k FROM sized),
timed AS (
  SELECT *, draw(b, k, 65) AS e,
         begins + CASE WHEN k = 0 THEN 0 WHEN k = n - 1 THEN lasts
                       ELSE lasts * (k + 0.8 * (unit(draw(b, k, 66)) - 0.5)) / (n - 1) END AS second
  FROM each)
SELECT subscriber_id, date + to_seconds(least(86399, floor(second))::BIGINT) AS ts, c.cell, e, tac, mcc
FROM timed t JOIN serving c ON c.anchor = t.anchor
 AND c.k = CASE WHEN e % 100 < 6 THEN 1 + e % 3 WHEN s % 100 < 30 THEN 1 + s % 2 ELSE 0 END;

-- one row per sighting under way to where a span begins, on the straight line
INSERT INTO sighting
WITH arrivals AS (
  SELECT *, CASE WHEN from_work THEN work_x ELSE home_x END AS from_x,
         CASE WHEN from_work THEN work_y ELSE home_y END AS from_y, draw(pd, span, 71) AS l
  FROM burst WHERE moves
  QUALIFY row_number() OVER (PARTITION BY subscriber_id, date, span ORDER BY begins, b) = 1),
each AS (
  SELECT *, kilometres(x, y, from_x, from_y) AS far, unnest(range((l % 4)::BIGINT)) AS k FROM arrivals),
points AS (
  SELECT *, draw(l, k, 72) AS e, [0.93, 0.75, 0.5][k + 1] - 0.1 * unit(draw(l, k, 73)) AS f
  FROM each WHERE far BETWEEN 0.3 AND 25),
timed AS (
  SELECT *, from_x + f * (x - from_x) AS px, from_y + f * (y - from_y) AS py,
         -- on foot below a kilometre; half an hour before the arrival at most
         begins - greatest(20, least(1900 * (1 - f), (1 - f) * far / CASE WHEN far < 1 THEN 5 ELSE speed END * 3600))::INT
           AS second
  FROM points)
SELECT subscriber_id, date + to_seconds(second), under_way, e, tac, mcc
FROM timed JOIN square ON sx = on_square(px) AND sy = on_square(py)
WHERE second > 0;

CREATE OR REPLACE TEMP TABLE seen AS
SELECT s.*, c.counted_zone AS zone, c.place, c.x, c.y FROM sighting s JOIN served c USING (cell) ORDER BY subscriber_id, ts, cell, e;

INSERT INTO event
SELECT subscriber_id, ts, printf('C%04d', cell),
       CASE WHEN e % 1000 < 640 THEN 'data' WHEN e % 1000 < 820 THEN 'location_update' WHEN e % 1000 < 910 THEN 'call'
            WHEN e % 1000 < 960 THEN 'sms' ELSE 'handover' END,
       CASE WHEN e % 1000 BETWEEN 820 AND 959 THEN 'CS' ELSE 'PS' END, tac, mcc
FROM seen ORDER BY subscriber_id, ts, cell, e;
