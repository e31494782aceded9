-- Events that are to be sorted by time wait in a file of their own, attached as `aside`, where `event` is found now.

CREATE TABLE aside.main.event AS FROM operator.main.event WITH NO DATA;
DROP TABLE operator.main.event;
SET search_path = 'operator.main,aside.main';
