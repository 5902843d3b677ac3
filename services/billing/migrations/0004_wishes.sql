-- Wishes that can be taken back: which were granted, and which were taken back before they came.
SELECT make_wish_table();
