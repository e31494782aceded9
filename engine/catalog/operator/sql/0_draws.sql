-- Draws that are the same everywhere: a 32-bit integer mixer, never random() and never hash(), whose values may change.
-- Every draw is a pure function of (subscriber, day, event, purpose): the order of the work changes nothing.

CREATE TEMP MACRO fold_1(x) AS xor(x, x >> 16);
CREATE TEMP MACRO fold_2(x) AS (x * 2146121005::UBIGINT) & 4294967295::UBIGINT;
CREATE TEMP MACRO fold_3(x) AS xor(x, x >> 15);
CREATE TEMP MACRO fold_4(x) AS (x * 2221713035::UBIGINT) & 4294967295::UBIGINT;
CREATE TEMP MACRO mix(x) AS fold_1(fold_4(fold_3(fold_2(fold_1(x)))));

-- a draw for a thing, and a draw made from another draw: 32-bit integers
CREATE TEMP MACRO first_draw(thing, purpose) AS
  mix((thing::UBIGINT * 2654435761::UBIGINT + purpose::UBIGINT * 3266489917::UBIGINT + 42) & 4294967295::UBIGINT);
CREATE TEMP MACRO draw(earlier, thing, purpose) AS
  mix((earlier + thing::UBIGINT * 2246822519::UBIGINT + purpose::UBIGINT * 668265263::UBIGINT) & 4294967295::UBIGINT);

-- a draw as a number: strictly between 0 and 1, standard normal, exponential of mean 1
CREATE TEMP MACRO unit(d) AS (d::DOUBLE + 0.5) / 4294967296.0;
CREATE TEMP MACRO normal(d) AS sqrt(-2.0 * ln(unit(d))) * cos(6.283185307179586 * unit(draw(d, 1, 77)));
CREATE TEMP MACRO exponential(d) AS -ln(unit(d));

-- whole-number weights, so that running sums are exact and do not depend on threads
CREATE TEMP MACRO whole(w) AS round((w) * 1000000)::BIGINT;
-- a weighted choice is one look-up of a draw among so many slots: those of an item that weighs w, up to its running sum
CREATE TEMP MACRO slots(w, upto, total, so_many) AS
  range(((upto - w) * so_many + total - 1) // total, (upto * so_many + total - 1) // total);

CREATE TEMP MACRO compass8(deg) AS ['N','NE','E','SE','S','SW','W','NW'][floor(((deg + 22.5) % 360) / 45)::INT + 1];
CREATE TEMP MACRO bearing(dx, dy) AS (degrees(atan2(dx, dy)) + 360) % 360;
CREATE TEMP MACRO kilometres(x1, y1, x2, y2) AS sqrt((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2));
