-- Where the person is, hour by hour, and when the network sees them: bursts of sightings, and some on the way.

-- one row per (person, day): how much is seen, and the day's plan: [0, leave) home, [leave, back) out, inside it work until wend
CREATE OR REPLACE TEMP TABLE person_day AS
WITH present AS (
  SELECT p.*, d.day, d.date, d.dow, d.busy, draw(p.a, d.day, 21) AS pd
  FROM person p JOIN day d ON d.day BETWEEN first_day AND last_day AND NOT d.day BETWEEN gone_from AND gone_from + 6),
planned AS (
  SELECT *, floor(bursts_a_day * busy * (0.35 + 0.65 * exponential(draw(pd, 0, 1))) + unit(draw(pd, 0, 2)))::INT AS bursts,
         employed AND draw(pd, 0, 8) % 100 < CASE WHEN dow < 6 THEN 84 ELSE 14 END AS works,
         draw(pd, 0, 3) % 100 < CASE WHEN dow < 6 THEN 16 ELSE 24 END + CASE third WHEN 2 THEN 16 WHEN 1 THEN 4 ELSE 0 END AS rests,
         CASE WHEN dow < 6 THEN 6 ELSE 8 END + CASE third WHEN 0 THEN 1 ELSE 0 END + (draw(pd, 0, 4) % 2 + draw(pd, 0, 5) % 3)::INT AS leave,
         15 + (draw(pd, 0, 6) % 4)::INT AS wend,
         CASE third WHEN 0 THEN 2 ELSE 0 END + (draw(pd, 0, 7) % 3 + draw(pd, 0, 9) % 4)::INT AS later,
         draw(pd, 0, 10) % 100 < CASE third WHEN 0 THEN 13 WHEN 1 THEN 8 ELSE 4 END AS away
  FROM present)
SELECT * EXCLUDE (leave, wend, later), CASE WHEN rests AND NOT works THEN 24 ELSE leave END AS leave, wend, least(24, wend + 1 + later) AS back
FROM planned WHERE bursts > 0;

-- one row per burst: its hour and what the person does then: 0 at home, 1 at work, 2 out, 3 a night elsewhere
CREATE OR REPLACE TEMP TABLE burst AS
WITH each AS (SELECT *, unnest(range(bursts)) AS i FROM person_day),
timed AS (
  SELECT e.*, draw(pd, i, 31) AS b, h.hour
  FROM (SELECT *, draw(pd, i, 30) % 4096 AS slot FROM each) e JOIN active_hour h USING (profile, dow, slot)),
doing AS (
  SELECT *, CASE
    WHEN tracker THEN 2 WHEN segment = 'm2m' THEN 0
    WHEN nights AND works THEN CASE WHEN hour >= 22 OR hour < 6 THEN 1 WHEN hour < 15 OR hour >= 20 THEN 0 ELSE 2 END
    WHEN hour < leave OR hour >= back THEN CASE WHEN away THEN 3 ELSE 0 END
    WHEN works AND hour > leave AND hour < wend AND (hour <> 13 OR draw(pd, 0, 11) % 2 = 0) THEN 1
    ELSE 2 END AS does
  FROM timed),
-- an outing lasts three hours, or six; with work around it, an hour before, an hour at noon, and what is left after
spanned AS (
  SELECT *, CASE
    WHEN does = 0 OR does = 3 THEN CASE WHEN hour < leave THEN 0 ELSE 1 END
    WHEN does = 1 THEN CASE WHEN hour < 13 THEN 2 ELSE 3 END
    WHEN tracker OR (works AND NOT nights AND hour < wend) THEN 100 + hour
    ELSE 10 + CASE WHEN draw(pd, hour // 6, 43) % 100 < 35 THEN hour // 6 * 2 ELSE hour // 3 END END AS span,
    CASE
    WHEN does = 0 OR does = 3 THEN CASE WHEN NOT nights AND hour < leave THEN leave ELSE 24 END
    WHEN does = 1 THEN CASE WHEN nights THEN CASE WHEN hour < 6 THEN 6 ELSE 24 END WHEN hour < 13 THEN 13 ELSE wend END
    WHEN tracker OR (works AND NOT nights AND hour < wend) THEN hour + 1
    ELSE least(CASE WHEN draw(pd, hour // 6, 43) % 100 < 35 THEN (hour // 6 + 1) * 6 ELSE (hour // 3 + 1) * 3 END,
               CASE WHEN nights THEN 20 ELSE back END) END AS until_hour
  FROM doing),
-- the outing's place is a habit of this person: drawn once a span, of two candidates the nearer to home three times in four
chosen AS (
  SELECT *, draw(pd, span, 41) AS outing_draw FROM spanned
  -- at home the telephone is often on the wireless network of the house, at work sometimes: the operator sees less of it
  WHERE segment = 'm2m' OR draw(b, 0, 67) % 100 >= CASE does WHEN 0 THEN 55 WHEN 3 THEN 55 WHEN 1 THEN 30 ELSE 0 END),
habits AS (
  SELECT c.*, CASE WHEN tracker THEN outing_draw ELSE draw(c.a, nth, 51) END AS fav, (hour >= 18)::INT AS evening
  FROM chosen c JOIN habit ON habit.slot = outing_draw % 1024),
candidates AS (
  SELECT h.*, CASE WHEN draw(fav, 0, 52) % 4 = 0 OR kilometres(home_x, home_y, p.x, p.y) <= kilometres(home_x, home_y, q.x, q.y) THEN p.place ELSE q.place END AS chosen_place,
         r.cell AS elsewhere
  FROM habits h
  JOIN outing o1 ON o1.grp = h.grp AND o1.evening = h.evening AND o1.slot = draw(fav, 0, 53) % 4096 JOIN spot p ON p.place = o1.place
  JOIN outing o2 ON o2.grp = h.grp AND o2.evening = h.evening AND o2.slot = draw(fav, 0, 54) % 4096 JOIN spot q ON q.place = o2.place
  JOIN choice r ON r.purpose = 'home' AND r.slot = draw(fav, 0, 55) % 65536),
-- out: one outing in ten stays at home after all, one in ten goes to friends
settled AS (
  SELECT c.*, s.dwell_median, does = 2 AND draw(fav, 0, 56) % 1000 >= 200 AS at_place,
         CASE does WHEN 0 THEN home_cell WHEN 1 THEN work_cell WHEN 3 THEN second_cell
           ELSE CASE WHEN NOT tracker AND draw(fav, 0, 56) % 1000 < 100 THEN home_cell WHEN draw(fav, 0, 56) % 1000 < 200 THEN elsewhere
                     ELSE (s.site - 1) * 3 + 1 + draw(outing_draw, 0, 57) % 3 END END AS anchor
  FROM candidates c JOIN spot s ON s.place = chosen_place)
SELECT s.* EXCLUDE (chosen_place, elsewhere, fav, evening, slot, i), t.x, t.y, hour * 3600 + (draw(b, 0, 61) % 3600)::INT AS begins
FROM settled s JOIN served t ON t.cell = s.anchor;

-- one row per sighting in a burst: the first at its beginning, the last when its stay ends
CREATE OR REPLACE TEMP TABLE sighting AS
WITH sized AS (
  SELECT subscriber_id, date, b, outing_draw, anchor, begins, tac, mcc,
         CASE WHEN draw(b, 0, 62) % 100 < CASE WHEN does = 2 THEN 14 ELSE 25 END THEN 1 ELSE 2 + floor(exponential(draw(b, 0, 63)) * 1.4)::INT END AS n,
         greatest(45, least(until_hour * 3600 - begins - 1200, CASE
           WHEN at_place THEN dwell_median * 60 * [0.8, 1.0, 1.3][third + 1] * CASE man WHEN 1 THEN 0.85 ELSE 1.1 END * exp(0.8 * normal(draw(b, 0, 64)))
           WHEN does = 1 THEN 5400 * exponential(draw(b, 0, 64)) ELSE 2700 * exponential(draw(b, 0, 64)) END)) AS lasts
  FROM burst),
each AS (SELECT *, unnest(range(n)) AS k FROM sized),
timed AS (
  SELECT *, draw(b, k, 65) AS e, begins + CASE WHEN k = 0 THEN 0 WHEN k = n - 1 THEN lasts ELSE lasts * (k + 0.8 * (unit(draw(b, k, 66)) - 0.5)) / (n - 1) END AS second
  FROM each)
SELECT subscriber_id, date + to_seconds(floor(second)::BIGINT) AS ts, s.cell, e, tac, mcc
FROM timed t JOIN serving s ON s.anchor = t.anchor
 AND s.k = CASE WHEN e % 100 < 6 THEN 1 + e % 3 WHEN outing_draw % 100 < 30 THEN 1 + outing_draw % 2 ELSE 0 END;

-- one row per sighting under way to where a span begins, on the line from home or from work
INSERT INTO sighting
WITH arrivals AS (
  SELECT subscriber_id, date, span, begins AS arrives, pd, speed, tac, mcc, x, y,
         CASE WHEN works AND (does = 0 OR (does = 2 AND hour > leave)) THEN work_x ELSE home_x END AS from_x,
         CASE WHEN works AND (does = 0 OR (does = 2 AND hour > leave)) THEN work_y ELSE home_y END AS from_y
  FROM burst WHERE segment <> 'm2m' OR tracker
  QUALIFY row_number() OVER (PARTITION BY subscriber_id, date, span ORDER BY begins, b) = 1),
legs AS (
  SELECT *, kilometres(x, y, from_x, from_y) AS far, draw(pd, span, 71) AS l FROM arrivals),
each AS (SELECT *, unnest(range((l % 4)::BIGINT)) AS k FROM legs WHERE far > 0.3 AND far < 25),
points AS (
  SELECT *, draw(l, k, 72) AS e, [0.93, 0.75, 0.5][k + 1] - 0.1 * unit(draw(l, k, 73)) AS f FROM each),
timed AS (
  SELECT *, arrives - greatest(20, least(1150 * (1 - f) / 0.6, (1 - f) * far / CASE WHEN far < 1 THEN 5 ELSE speed END * 3600))::INT AS second,
         from_x + f * (x - from_x) AS px, from_y + f * (y - from_y) AS py
  FROM points)
SELECT subscriber_id, date + to_seconds(second), q.under_way, e, tac, mcc
FROM timed JOIN square q ON q.sx = least(47, greatest(0, floor((px + 18) / 0.75))) AND q.sy = least(47, greatest(0, floor((py + 18) / 0.75)))
WHERE second > 0;

CREATE OR REPLACE TEMP TABLE seen AS
SELECT s.subscriber_id::UBIGINT AS subscriber_id, s.ts, s.cell, s.e, s.tac, s.mcc, c.zone, c.place, c.x, c.y
FROM sighting s JOIN served c USING (cell) ORDER BY s.subscriber_id, s.ts, s.cell, s.e;

INSERT INTO event
SELECT subscriber_id, ts, printf('C%04d', cell),
       CASE WHEN e % 1000 < 640 THEN 'data' WHEN e % 1000 < 820 THEN 'location_update' WHEN e % 1000 < 910 THEN 'call' WHEN e % 1000 < 960 THEN 'sms' ELSE 'handover' END,
       CASE WHEN e % 1000 >= 820 AND e % 1000 < 960 THEN 'CS' ELSE 'PS' END, tac, mcc
FROM seen ORDER BY subscriber_id, ts, cell, e;
