"""Attacks of our own on the adapters, one a line.

`{folder}` is where a file would be written, `{canary}` a file that must not be read. Each statement
must end in an error and leave every file as it was.
"""

from __future__ import annotations

SQLITE = """
INSERT INTO people VALUES (9, 'x', 'x', 'x')
UPDATE people SET city = 'x'
DELETE FROM orders
REPLACE INTO people VALUES (1, 'x', 'x', 'x')
INSERT INTO people SELECT * FROM people RETURNING id
WITH x AS (SELECT 1) DELETE FROM people
CREATE TABLE t (x)
CREATE TABLE IF NOT EXISTS people (x)
CREATE TEMP TABLE people (id, name)
CREATE TEMP VIEW cities AS SELECT 'x' AS city, 1 AS people
CREATE VIEW v AS SELECT * FROM secrets
CREATE INDEX i ON people (name)
CREATE TRIGGER t AFTER INSERT ON people BEGIN DELETE FROM orders; END
CREATE TEMP TRIGGER t AFTER INSERT ON people BEGIN DELETE FROM orders; END
CREATE VIRTUAL TABLE temp.f USING fts5(x)
CREATE VIRTUAL TABLE f USING fts5(x)
DROP TABLE orders
DROP VIEW cities
ALTER TABLE people RENAME TO folk
ALTER TABLE people ADD COLUMN x
ATTACH '{folder}/out.sqlite' AS x
ATTACH ':memory:' AS x
ATTACH 'file:{folder}/out.sqlite?mode=rwc' AS x
DETACH main
VACUUM
VACUUM INTO '{folder}/out.sqlite'
REINDEX
ANALYZE
BEGIN
BEGIN IMMEDIATE
BEGIN EXCLUSIVE
COMMIT
ROLLBACK
SAVEPOINT s
RELEASE s
PRAGMA query_only = 0
PRAGMA query_only(0)
EXPLAIN PRAGMA query_only = 0
PRAGMA writable_schema = 1
PRAGMA trusted_schema = 1
PRAGMA journal_mode = WAL
PRAGMA journal_mode(DELETE)
PRAGMA user_version = 7
PRAGMA application_id = 7
PRAGMA wal_checkpoint
PRAGMA temp_store_directory = '{folder}'
PRAGMA data_store_directory = '{folder}'
PRAGMA hard_heap_limit = 1000
PRAGMA soft_heap_limit = 1000
PRAGMA foreign_keys = OFF
PRAGMA main.locking_mode = EXCLUSIVE
PRAGMA mmap_size = 1000000000
PRAGMA optimize
PRAGMA incremental_vacuum
PRAGMA database_list
PRAGMA table_list
PRAGMA table_info(people)
PRAGMA table_info('secrets')
PRAGMA foreign_key_check
PRAGMA integrity_check
SELECT load_extension('{canary}')
SELECT load_extension('{canary}', 'main')
SELECT readfile('{canary}')
SELECT writefile('{folder}/out', 'x')
SELECT edit('x', 'touch {folder}/out')
SELECT fts3_tokenizer('simple')
SELECT fts3_tokenizer('simple', X'0000000000000000')
SELECT sqlite_log(1, 'x')
SELECT "load_extension"('{canary}')
SELECT LOAD_EXTENSION/**/('{canary}')
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM sqlite_temp_master
SELECT * FROM main.sqlite_master
SELECT rootpage FROM sqlite_master
SELECT * FROM pragma_table_info('secrets')
SELECT * FROM pragma_database_list
SELECT * FROM dbstat
SELECT * FROM sqlite_stmt
SELECT * FROM secrets
SELECT count(*) FROM secrets
SELECT word FROM main.secrets
SELECT 1 FROM secrets LIMIT 0
SELECT (SELECT word FROM secrets)
SELECT ssn FROM people
SELECT * FROM people
SELECT people.* FROM people
SELECT id FROM people WHERE ssn > 'a'
SELECT id FROM people ORDER BY ssn
SELECT id FROM people GROUP BY ssn
SELECT count(ssn) FROM people
SELECT p.id FROM people p JOIN people q ON p.ssn = q.ssn
SELECT * FROM numbers
SELECT id FROM numbers
WITH x AS (SELECT * FROM secrets) SELECT 1 FROM x
SELECT name FROM people UNION SELECT word FROM secrets
SELECT name FROM people WHERE EXISTS (SELECT 1 FROM secrets)
SELECT rowid FROM secrets
SELECT 1; DELETE FROM people
SELECT 1; SELECT word FROM secrets
DELETE FROM people; SELECT 1
EXPLAIN DELETE FROM people
EXPLAIN QUERY PLAN DELETE FROM people
EXPLAIN SELECT word FROM secrets
; ; ;
-- nothing
SELECT randomblob(1000000000)
SELECT zeroblob(1000000000)
SELECT length(replace(hex(zeroblob(4000000)), '0', 'xxxxxxxxxxxxxxxx'))
SELECT group_concat(hex(zeroblob(1000000))) FROM json_each('[1,2,3,4,5,6,7,8,9,10]')
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i FROM r ORDER BY -i
WITH RECURSIVE r(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM r) SELECT max(length(t)) FROM r
""".strip().splitlines()

DUCKDB = """
INSERT INTO people VALUES (9, 'x', 'x', 'x')
INSERT INTO people VALUES (9, 'x', 'x', 'x') RETURNING id
UPDATE people SET city = 'x'
DELETE FROM orders
MERGE INTO people USING people AS p ON people.id = p.id WHEN MATCHED THEN DELETE
TRUNCATE orders
WITH i AS (INSERT INTO people VALUES (9, 'x', 'x', 'x') RETURNING id) SELECT * FROM i
WITH d AS (DELETE FROM people RETURNING id) SELECT * FROM d
CREATE TABLE t (x INTEGER)
CREATE TEMP TABLE people (id INTEGER)
CREATE TEMP VIEW cities AS SELECT 1
CREATE OR REPLACE TEMP MACRO lower(x) AS 'x'
CREATE TEMP MACRO people() AS TABLE SELECT 1
CREATE VIEW v AS SELECT * FROM secrets
CREATE INDEX i ON people (name)
CREATE SEQUENCE s
CREATE SCHEMA s
CREATE TYPE mood AS ENUM ('x')
CREATE SECRET s (TYPE s3, KEY_ID 'x', SECRET 'y')
CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'x', SECRET 'y')
DROP TABLE orders
DROP VIEW cities
ALTER TABLE people RENAME TO folk
ALTER TABLE people ADD COLUMN x INTEGER
COMMENT ON TABLE people IS 'x'
ATTACH '{folder}/out.duckdb' AS x
ATTACH ':memory:' AS x
ATTACH '{canary}' AS x (READ_ONLY)
DETACH shop
USE memory
COPY people TO '{folder}/out.csv'
COPY (SELECT 1) TO '{folder}/out.parquet' (FORMAT parquet)
COPY people FROM '{canary}'
EXPLAIN ANALYZE COPY people TO '{folder}/out.csv'
EXPLAIN ANALYZE SELECT 1
EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1
EXPLAIN COPY people TO '{folder}/out.csv'
EXPORT DATABASE '{folder}/out'
IMPORT DATABASE '{folder}'
INSTALL httpfs
FORCE INSTALL httpfs FROM 'http://127.0.0.1:9/'
LOAD httpfs
LOAD '{canary}'
LOAD json
UPDATE EXTENSIONS
SET memory_limit = '100GB'
SET enable_external_access = true
SET lock_configuration = false
SET log_query_path = '{folder}/log'
SET GLOBAL threads = 1
SET VARIABLE x = 1
SET schema = 'main'
SET search_path = 'main'
RESET memory_limit
RESET SESSION threads
PRAGMA enable_profiling
PRAGMA profiling_output = '{folder}/out'
PRAGMA memory_limit = '100GB'
PRAGMA database_list
PRAGMA show_tables
PRAGMA table_info('secrets')
PRAGMA version
PRAGMA import_database('{folder}')
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
BEGIN
COMMIT
ROLLBACK
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
CALL pragma_version()
CALL force_checkpoint()
CALL enable_logging()
SELECT * FROM read_csv('{canary}')
SELECT * FROM read_text('{canary}')
SELECT * FROM read_blob('{canary}')
SELECT * FROM read_json('{canary}')
SELECT * FROM read_parquet('{canary}')
SELECT * FROM read_ndjson_objects('{canary}')
SELECT * FROM sniff_csv('{canary}')
SELECT * FROM parquet_metadata('{canary}')
SELECT * FROM glob('{folder}/*')
SELECT * FROM '{canary}'
SELECT * FROM "{canary}"
DESCRIBE TABLE '{canary}'
SUMMARIZE '{canary}'
SELECT * FROM query('SELECT * FROM secrets')
SELECT * FROM query_table('secrets')
SELECT * FROM query_table(['secrets'])
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM secrets'))
SELECT json_serialize_plan('SELECT * FROM secrets')
SELECT getvariable('x')
SELECT current_setting('memory_limit')
SELECT getenv('HOME')
SELECT nextval('s')
SELECT setseed(0.5)
SELECT write_log('x')
SELECT error('x')
SELECT sleep_ms(100)
SELECT current_query()
SELECT pg_get_viewdef(1)
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns
SELECT * FROM duckdb_logs()
SELECT * FROM pragma_table_info('secrets')
SELECT * FROM pragma_storage_info('people')
SELECT * FROM pragma_database_size()
SELECT * FROM information_schema.columns
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM sqlite_master
SELECT * FROM system.main.duckdb_tables
SELECT * FROM checkpoint()
SELECT * FROM enable_profiling()
SELECT * FROM python_scan_all_frames
SELECT * FROM request
SELECT * FROM READABLE
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
SHOW secrets
DESCRIBE secrets
SUMMARIZE secrets
SELECT * FROM secrets
SELECT count(*) FROM secrets
SELECT * FROM main.secrets
SELECT * FROM shop.main.secrets
FROM secrets
TABLE secrets
SELECT (SELECT word FROM secrets)
SELECT * FROM people, secrets
SELECT * FROM people SEMI JOIN secrets USING (id)
SELECT * FROM people WHERE EXISTS (FROM secrets)
SELECT * FROM (PIVOT secrets ON word IN ('x') USING count(*))
PIVOT secrets ON word
WITH x AS (SELECT * FROM secrets) SELECT * FROM x
WITH x AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM x
WITH secrets AS (SELECT 1) SELECT * FROM main.secrets
WITH RECURSIVE secrets AS (SELECT * FROM secrets) SELECT * FROM secrets
SELECT * FROM (WITH secrets AS (SELECT 1 AS id) SELECT * FROM secrets) AS a, secrets
SELECT name FROM people UNION SELECT word FROM secrets
EXPLAIN SELECT * FROM secrets
SELECT 1; DELETE FROM people
SELECT 1; SELECT word FROM secrets
SELECT list_sum(range(1000000000))
SELECT length(repeat('x', 4000000000))
SELECT count(*) FROM range(999999999) a, range(999999999) b WHERE a.range + b.range < 0
SELECT max(i) FROM range(500000000) t(i) GROUP BY i ORDER BY 1
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r
""".strip().splitlines()

MYSQL = """
INSERT INTO people VALUES (9, 'x', 'x', 'x')
INSERT IGNORE INTO people VALUES (1, 'x', 'x', 'x')
REPLACE INTO people VALUES (1, 'x', 'x', 'x')
INSERT INTO orders (person_id) SELECT id FROM people
INSERT INTO orders VALUES (10, 1, 1, NULL) ON DUPLICATE KEY UPDATE amount = 0
UPDATE people SET city = 'x'
UPDATE people p JOIN orders o ON o.person_id = p.id SET p.city = 'x'
DELETE FROM orders
DELETE o FROM orders o JOIN people p ON p.id = o.person_id
DELETE FROM people WHERE 1 = 0
TRUNCATE TABLE orders
CREATE TABLE t (x INT)
CREATE TABLE t AS SELECT * FROM people
CREATE TEMPORARY TABLE people (x INT)
CREATE TEMPORARY TABLE t AS SELECT * FROM people
CREATE VIEW v AS SELECT * FROM secrets
CREATE OR REPLACE VIEW cities AS SELECT 1 AS city, 2 AS people
CREATE INDEX i ON people (name)
CREATE TRIGGER t AFTER INSERT ON people FOR EACH ROW DELETE FROM orders
CREATE FUNCTION f() RETURNS INT RETURN 1
CREATE PROCEDURE p() DELETE FROM orders
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders
CREATE SEQUENCE s
CREATE DATABASE attacked
CREATE USER attacker
CREATE ROLE attackers
DROP TABLE orders
DROP VIEW cities
DROP FUNCTION bump
ALTER TABLE people ADD COLUMN x INT
RENAME TABLE people TO folk
GRANT ALL ON *.* TO CURRENT_USER()
SET PASSWORD = PASSWORD('x')
ALTER USER CURRENT_USER() IDENTIFIED BY 'x'
SET GLOBAL general_log_file = '{folder}/log'
SET GLOBAL max_connections = 1
SET GLOBAL read_only = 1
SET SESSION TRANSACTION READ WRITE
SET SESSION sql_mode = 'ANSI_QUOTES'
SET NAMES latin1
SET @a = 1
SET ROLE ALL
SET autocommit = 0
SET STATEMENT max_statement_time = 0 FOR SELECT SLEEP(1)
BEGIN
START TRANSACTION READ WRITE
COMMIT
XA START 'x'
LOCK TABLES people WRITE
LOCK TABLES people READ
FLUSH TABLES WITH READ LOCK
FLUSH PRIVILEGES
KILL 1
SHUTDOWN
BEGIN NOT ATOMIC DELETE FROM orders; END
BEGIN NOT ATOMIC SET SESSION TRANSACTION READ WRITE; DELETE FROM orders; END
IF 1 THEN DELETE FROM orders; END IF
CASE 1 WHEN 1 THEN DELETE FROM orders; END CASE
FOR i IN 1..2 DO DELETE FROM orders; END FOR
EXECUTE IMMEDIATE 'DELETE FROM orders'
PREPARE p FROM 'DELETE FROM orders'
CALL p()
DO SLEEP(1)
HANDLER people OPEN
HANDLER people READ FIRST
ANALYZE DELETE FROM orders
ANALYZE TABLE people
OPTIMIZE TABLE people
REPAIR TABLE people
EXPLAIN DELETE FROM orders
LOAD DATA INFILE '{canary}' INTO TABLE people
LOAD DATA LOCAL INFILE '{canary}' INTO TABLE people
LOAD XML LOCAL INFILE '{canary}' INTO TABLE people
INSTALL SONAME 'ha_x'
CREATE FUNCTION sys_exec RETURNS INT SONAME 'lib_mysqludf_sys.so'
SELECT * FROM people INTO OUTFILE '{folder}/o1'
SELECT id INTO OUTFILE '{folder}/o2' FROM people
SELECT id FROM people LIMIT 1 INTO DUMPFILE '{folder}/o3'
(SELECT 1) UNION (SELECT 2) INTO OUTFILE '{folder}/o4'
SELECT 1 /*! INTO OUTFILE '{folder}/o5' */
SELECT 1 /*M!100000 INTO OUTFILE '{folder}/o6' */
WITH x AS (SELECT 1) SELECT * FROM x INTO OUTFILE '{folder}/o7'
VALUES (1) INTO OUTFILE '{folder}/o8'
/*!50000 DELETE FROM orders */
/*M!100000 DROP TABLE orders */
SELECT LOAD_FILE('{canary}')
SELECT `load_file`('{canary}')
SELECT LOAD_FILE/**/('{canary}')
SELECT bump(1)
SELECT `bump`(id) FROM people
SELECT id FROM people WHERE bump(id) > 0
VALUES (bump(1))
SELECT NEXTVAL(s)
SELECT 1; DELETE FROM orders
SELECT 1; SELECT word FROM secrets
SELECT '\\'; DELETE FROM orders; -- '
SELECT * FROM secrets
SELECT word FROM secrets LIMIT 0
TABLE secrets
SELECT (SELECT word FROM secrets)
SELECT * FROM people
SELECT ssn FROM people
SELECT id FROM people WHERE ssn > 'a'
SELECT id FROM people ORDER BY ssn
SELECT COUNT(ssn) FROM people
SELECT name FROM people UNION SELECT word FROM secrets
SELECT p.id FROM people p NATURAL JOIN people q
SELECT * FROM mysql.user
SELECT * FROM mysql.global_priv
SELECT * FROM performance_schema.accounts
SELECT * FROM people FOR UPDATE
SELECT id FROM people PROCEDURE ANALYSE()
SHOW CREATE TABLE secrets
SHOW CREATE USER root@localhost
SHOW GRANTS FOR root@localhost
SHOW BINARY LOGS
DESCRIBE secrets
""".strip().splitlines()
"""On MySQL some of these do nothing that lasts and some give rows that anybody may see: each must
leave everything as it was and show no canary."""
