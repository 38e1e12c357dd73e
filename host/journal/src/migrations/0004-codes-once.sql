-- Code once, however many versions run it with other settings or limits. `checksum` is the BLAKE3 of the code.
CREATE TABLE codes (
  checksum BLOB PRIMARY KEY,
  code BLOB NOT NULL
) STRICT;
INSERT INTO codes SELECT checksum, code FROM policy_codes GROUP BY checksum;
ALTER TABLE policy_codes DROP COLUMN code;
