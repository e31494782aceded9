-- The subscribers numbered from_subscriber up to, not including, to_subscriber.

-- one row per subscriber: who they are, also where the operator does not know it; band of age 0..5, third 0..2
CREATE OR REPLACE TEMP TABLE character AS
WITH drawn AS (
  SELECT n AS subscriber_id, first_draw(n, 11) AS a
  FROM range(getvariable('from_subscriber'), getvariable('to_subscriber')) t(n)),
sorted AS (
  SELECT *, CASE WHEN draw(a, 0, 1) % 1000 < 20 THEN 'm2m' WHEN draw(a, 0, 1) % 1000 < 70 THEN 'roamer'
                 ELSE 'resident' END AS segment,
         (draw(a, 0, 2) % 2)::INT AS man, draw(a, 0, 3) % 1000 AS age_lot
  FROM drawn),
aged AS (
  SELECT *, (age_lot >= 150)::INT + (age_lot >= 375)::INT + (age_lot >= 580)::INT + (age_lot >= 755)::INT
            + (age_lot >= 885)::INT AS band
  FROM sorted),
employed AS (
  SELECT *, [0, 1, 1, 1, 2, 2][band + 1] AS third,
         segment = 'resident' AND draw(a, 0, 4) % 1000 < [450, 800, 830, 820, 640, 60][band + 1] AS employed
  FROM aged)
SELECT *, third * 2 + man AS grp, employed AND draw(a, 0, 6) % 1000 < 60 AS nights,
       -- a tracker drives about at all hours, a kiosk stands in a place and is never silent, other machines stand still
       segment = 'm2m' AND draw(a, 0, 5) % 100 < 40 AS tracker, segment = 'm2m' AND draw(a, 0, 5) % 100 >= 92 AS kiosk,
       exp(1.2 * normal(draw(a, 0, 15)) - 0.72) AS talkative
FROM employed;

-- one row per subscriber, with where they live and work, when they are there and how much the network sees of them
CREATE OR REPLACE TEMP TABLE person AS
WITH cells AS (
  SELECT c.*, CASE WHEN kiosk THEN (spot.site - 1) * 3 + 1 ELSE h.cell END AS home_cell
  FROM character c
  JOIN choice h ON h.purpose = CASE segment WHEN 'roamer' THEN 'hotel' ELSE 'home' END AND h.slot = draw(a, 0, 7) % 65536
  JOIN spot ON spot.place = 1 + draw(a, 0, 21) % 20),
-- of two possible workplaces the nearer to home
placed AS (
  SELECT c.*, h.x AS home_x, h.y AS home_y, h.zone AS home, s.cell AS second_cell,
         CASE WHEN kilometres(h.x, h.y, p.x, p.y) <= kilometres(h.x, h.y, q.x, q.y) THEN i.cell
              ELSE j.cell END AS work_cell
  FROM cells c JOIN served h ON h.cell = home_cell
  JOIN choice i ON i.purpose = 'work' AND i.slot = draw(a, 0, 8) % 65536 JOIN served p ON p.cell = i.cell
  JOIN choice j ON j.purpose = 'work' AND j.slot = draw(a, 0, 9) % 65536 JOIN served q ON q.cell = j.cell
  JOIN choice s ON s.purpose = 'home' AND s.slot = draw(a, 0, 10) % 65536)
SELECT p.*, w.x AS work_x, w.y AS work_y, w.zone AS work,
       CASE WHEN segment = 'm2m' THEN 7 WHEN nights THEN 6 ELSE grp END AS profile,
       -- roamers stay one to four days; one resident in twelve is away for a week
       CASE WHEN segment = 'roamer' THEN draw(a, 0, 11) % 32 ELSE 0 END::INT AS first_day,
       CASE WHEN segment = 'roamer' THEN draw(a, 0, 11) % 32 + draw(a, 0, 12) % 4 ELSE 31 END::INT AS last_day,
       CASE WHEN segment = 'resident' AND draw(a, 0, 13) % 12 = 0 THEN draw(a, 0, 14) % 26 ELSE 99 END::INT AS gone_from,
       getvariable('bursts_a_day') * CASE WHEN tracker THEN 8 WHEN kiosk THEN 24 WHEN segment = 'm2m' THEN 2
                                          ELSE talkative END AS bursts_a_day,
       -- kilometres an hour: by car, by bus or by bicycle, as this person is used to
       CASE WHEN tracker OR draw(a, 0, 16) % 100 < [[10, 12], [50, 58], [42, 55]][third + 1][man + 1] THEN 36
            WHEN draw(a, 0, 16) % 100 < 75 THEN 21 ELSE 13 END AS speed,
       CASE WHEN segment = 'm2m' THEN 86100000 + draw(a, 0, 17) % 12 * 331 ELSE 35200000 + draw(a, 0, 17) % 180 * 4711
            END::INT AS tac,
       CASE WHEN segment <> 'roamer' THEN 262
            ELSE [234, 208, 232, 204, 260, 228, 222, 310][1 + (draw(a, 0, 19) % 8)::INT] END AS mcc
FROM placed p JOIN served w ON w.cell = work_cell;

INSERT INTO subscriber
WITH told AS (
  SELECT *, draw(a, 0, 33) % 1000 AS consent_lot,
         CASE WHEN segment = 'm2m' THEN 'm2m' WHEN employed AND draw(a, 0, 30) % 100 < 18 THEN 'business'
              WHEN draw(a, 0, 30) % 100 < [50, 72, 75, 72, 66, 58][band + 1] THEN 'postpaid'
              ELSE 'prepaid' END AS contract
  FROM person),
-- age and gender are unknown of machines and roamers, and of three business telephones in ten
known AS (
  SELECT *, segment = 'resident' AND NOT (contract = 'business' AND draw(a, 0, 31) % 100 < 30) AS signed FROM told)
SELECT subscriber_id,
       CASE WHEN signed AND draw(a, 0, 32) % 100 < 97 THEN ['18-24','25-34','35-44','45-54','55-64','65+'][band + 1] END,
       CASE WHEN signed AND draw(a, 0, 34) % 100 < 97 THEN ['f','m'][man + 1] END, contract, mcc,
       CASE WHEN segment <> 'roamer' AND draw(a, 0, 35) % 100 < 97 THEN 'Z' || home END,
       CASE WHEN employed THEN 'Z' || work END,
       MAP {262: 'DE', 234: 'GB', 208: 'FR', 232: 'AT', 204: 'NL', 260: 'PL', 228: 'CH', 222: 'IT', 310: 'US'}[mcc],
       CASE WHEN segment <> 'm2m' AND consent_lot < [380, 340, 300, 260, 220, 170][band + 1] THEN 'opt_in'
            WHEN consent_lot >= 985 THEN 'withdrawn' WHEN consent_lot >= 940 THEN 'objected' ELSE 'none' END,
       -- one over the operator's published share of each kind of contract: never a figure from the data
       CASE contract WHEN 'postpaid' THEN 3.2 WHEN 'prepaid' THEN 4.1 WHEN 'business' THEN 2.6 ELSE 1.0 END
FROM known ORDER BY subscriber_id;
