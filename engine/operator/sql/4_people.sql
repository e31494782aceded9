-- The subscribers numbered from_subscriber up to, not including, to_subscriber.

CREATE OR REPLACE TEMP TABLE person AS
WITH drawn AS (SELECT n AS subscriber_id, first_draw(n, 11) AS a FROM range(getvariable('from_subscriber'), getvariable('to_subscriber')) t(n)),
-- age and gender of everybody who carries the phone, also where the operator does not know them
who AS (
  SELECT subscriber_id, a, CASE WHEN draw(a, 0, 1) % 1000 < 20 THEN 'm2m' WHEN draw(a, 0, 1) % 1000 < 70 THEN 'roamer' ELSE 'resident' END AS segment,
         (draw(a, 0, 2) % 2)::INT AS man, draw(a, 0, 3) % 1000 AS age_lot, draw(a, 0, 4) % 1000 AS work_lot
  FROM drawn),
aged AS (
  SELECT *, CASE WHEN age_lot < 150 THEN 0 WHEN age_lot < 375 THEN 1 WHEN age_lot < 580 THEN 2 WHEN age_lot < 755 THEN 3 WHEN age_lot < 885 THEN 4 ELSE 5 END AS band
  FROM who),
-- tracker: a machine on wheels, seen everywhere at any hour; the other machines stand still
working AS (
  SELECT *, [0, 1, 1, 1, 2, 2][band + 1] AS third, segment = 'm2m' AND draw(a, 0, 5) % 100 < 40 AS tracker,
         segment = 'resident' AND work_lot < [450, 800, 830, 820, 640, 60][band + 1] AS employed
  FROM aged),
cells AS (
  SELECT w.*, third * 2 + man AS grp, employed AND draw(a, 0, 6) % 1000 < 60 AS nights,
         -- some machines stand in a place: their stay never ends
         CASE WHEN segment = 'm2m' AND NOT tracker AND draw(a, 0, 20) % 100 < 25 THEN (spot.site - 1) * 3 + 1 ELSE h.cell END AS home_cell
  FROM working w
  JOIN choice h ON h.purpose = CASE segment WHEN 'roamer' THEN 'hotel' ELSE 'home' END AND h.slot = draw(a, 0, 7) % 65536
  JOIN spot ON spot.place = 1 + draw(a, 0, 21) % 20),
-- of two possible workplaces the nearer to home
placed AS (
  SELECT c.*, h.x AS home_x, h.y AS home_y, h.zone AS home, CASE WHEN kilometres(h.x, h.y, p.x, p.y) <= kilometres(h.x, h.y, q.x, q.y) THEN i.cell ELSE j.cell END AS work_cell,
         s.cell AS second_cell
  FROM cells c JOIN served h ON h.cell = home_cell
  JOIN choice i ON i.purpose = 'work' AND i.slot = draw(a, 0, 8) % 65536 JOIN served p ON p.cell = i.cell
  JOIN choice j ON j.purpose = 'work' AND j.slot = draw(a, 0, 9) % 65536 JOIN served q ON q.cell = j.cell
  JOIN choice s ON s.purpose = 'home' AND s.slot = draw(a, 0, 10) % 65536)
SELECT p.*, w.x AS work_x, w.y AS work_y, w.zone AS work, CASE WHEN segment = 'm2m' THEN 7 WHEN nights THEN 6 ELSE grp END AS profile,
       -- roamers stay one to four days; one resident in twelve is away for a week
       CASE WHEN segment = 'roamer' THEN draw(a, 0, 11) % 32 ELSE 0 END::INT AS first_day,
       CASE WHEN segment = 'roamer' THEN draw(a, 0, 11) % 32 + draw(a, 0, 12) % 4 ELSE 31 END::INT AS last_day,
       CASE WHEN segment = 'resident' AND draw(a, 0, 13) % 12 = 0 THEN draw(a, 0, 14) % 26 ELSE 99 END::INT AS gone_from,
       getvariable('bursts_a_day') * CASE WHEN tracker THEN 8 WHEN segment = 'm2m' THEN 2.5 ELSE exp(1.2 * normal(draw(a, 0, 15)) - 0.72) END AS bursts_a_day,
       -- kilometres an hour: on foot below a kilometre, else as this person goes
       CASE WHEN tracker THEN 38 WHEN draw(a, 0, 16) % 100 < [10, 50, 55, 45][1 + (third > 0)::INT + (third > 0 AND man = 1)::INT + (third = 2)::INT] THEN 36
            WHEN draw(a, 0, 16) % 100 < 70 THEN 21 ELSE 13 END AS speed,
       (35000000 + draw(a, 0, 17) % 180 * draw(a, 0, 18) % 997 + CASE segment WHEN 'm2m' THEN 900000 ELSE 0 END)::INT AS tac,
       CASE WHEN segment <> 'roamer' THEN 262 ELSE [234, 208, 232, 204, 260, 228, 222, 310][1 + (draw(a, 0, 19) % 8)::INT] END AS mcc
FROM placed p JOIN served w ON w.cell = work_cell;

INSERT INTO subscriber
WITH told AS (
  SELECT *, CASE WHEN segment = 'm2m' THEN 'm2m' WHEN employed AND draw(a, 0, 30) % 100 < 18 THEN 'business'
                 WHEN draw(a, 0, 30) % 100 < [50, 72, 75, 72, 66, 58][band + 1] THEN 'postpaid' ELSE 'prepaid' END AS contract_type,
         draw(a, 0, 33) % 1000 AS consent_lot
  FROM person),
-- what the operator knows: nothing of machines and roamers, little of business contracts
known AS (
  SELECT *, segment = 'resident' AND NOT (contract_type = 'business' AND draw(a, 0, 31) % 100 < 30) AS signed FROM told)
SELECT subscriber_id, CASE WHEN signed AND draw(a, 0, 32) % 100 < 97 THEN ['18-24','25-34','35-44','45-54','55-64','65+'][band + 1] END,
       CASE WHEN signed AND draw(a, 0, 34) % 100 < 97 THEN ['f','m'][man + 1] END, contract_type, mcc,
       CASE WHEN segment <> 'roamer' AND draw(a, 0, 35) % 100 < 97 THEN 'Z' || home END, CASE WHEN employed THEN 'Z' || work END,
       CASE mcc WHEN 262 THEN 'DE' WHEN 234 THEN 'GB' WHEN 208 THEN 'FR' WHEN 232 THEN 'AT' WHEN 204 THEN 'NL' WHEN 260 THEN 'PL' WHEN 228 THEN 'CH' WHEN 222 THEN 'IT' ELSE 'US' END,
       CASE WHEN segment <> 'm2m' AND consent_lot < [380, 340, 300, 260, 220, 170][band + 1] THEN 'opt_in'
            WHEN consent_lot >= 985 THEN 'withdrawn' WHEN consent_lot >= 940 THEN 'objected' ELSE 'none' END,
       -- one over the operator's published share of each kind of contract: never a figure from the data
       CASE contract_type WHEN 'postpaid' THEN 3.2 WHEN 'prepaid' THEN 4.1 WHEN 'business' THEN 2.6 ELSE 1.0 END
FROM known ORDER BY subscriber_id;
