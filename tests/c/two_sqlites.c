/* two_sqlites FOLDER: a host that links an SQLite of its own, statically, beside the ledger's. */
#include "check.h"
#include <sqlite3.h>

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    bgl_ledger *ledger;
    bgl_create_options create = {.size = sizeof create, .label = "beside another SQLite"};
    OK(bgl_open(path, NULL, &ledger));
    OK(bgl_create(ledger, &create, NULL, NULL));

    sqlite3 *own;
    snprintf(path, sizeof path, "%s/own.db", argv[1]);
    CHECK(sqlite3_open(path, &own) == SQLITE_OK);
    CHECK(sqlite3_exec(own, "CREATE TABLE t (x); INSERT INTO t VALUES (1)", NULL, NULL, NULL) == SQLITE_OK);
    SAME(sqlite3_libversion(), SQLITE_VERSION); /* the host's calls reach the host's library */
    CHECK(sqlite3_close(own) == SQLITE_OK);

    OK(bgl_create(ledger, &create, NULL, NULL));
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
