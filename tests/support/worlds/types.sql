-- Every stored type, with the ends of its range, and values of which each has its own way to go wrong.
CREATE TABLE act (
  pid VARCHAR, u UBIGINT, f FLOAT, dec DECIMAL(18, 4), ts TIMESTAMP_S, tm TIMESTAMP_MS, tn TIMESTAMP_NS, tt TIME,
  l VARCHAR[], li INTEGER[], b BOOLEAN, tiny UTINYINT, dd DATE
);
INSERT INTO act VALUES
  ('a', 18446744073709551615, 0.1, 1.2345, '2026-03-01 10:00:00', '2026-03-01 10:00:00.123', '2026-03-01 10:00:00.123456789',
   '10:11:12', ['x', 'y'], [1, 2], true, 255, '2026-03-01'),
  ('a', 5, 'inf', -1.5, '2026-03-02 10:00:00', '2026-03-01 23:59:59.999', NULL, '23:59:59.5', [], [NULL], false, 0, 'infinity'),
  ('b', 9223372036854775808, 'nan', NULL, NULL, NULL, '2026-03-01 00:00:00', '00:00:00', NULL, NULL, NULL, 7, '-infinity'),
  (NULL, 3, 1, 1, '2026-03-01 10:00:00', NULL, NULL, NULL, ['x'], [1], true, 1, '2026-03-01'),
  ('c', NULL, 16777216, 12345678901234.5678, 'infinity', '2026-03-03', '2026-03-03', NULL, [NULL, 'x'], [], false, NULL, '2026-03-04');
