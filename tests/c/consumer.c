/* consumer LEDGER: takes what is owed to a session until nothing is due, and prints what it took. */
#include "check.h"
#include <time.h>

int main(int argc, char **argv)
{
    bgl_ledger *ledger;
    CHECK(argc == 2);
    OK(bgl_open(argv[1], NULL, &ledger));
    for (;;) {
        const char *recipient = "session:chat", *ids[8];
        bgl_notice *kept[8];
        size_t many = 0;
        bgl_notices *notices;
        bgl_notices_claim_options claim = {.size = sizeof claim,
                                           .recipients = &recipient,
                                           .recipient_count = 1,
                                           .consumer = "c",
                                           .limit = 8};
        OK(bgl_notices_claim(ledger, &claim, &notices));
        if (bgl_notices_token(notices) == NULL) {
            OK(bgl_notices_free(notices));
            break;
        }
        for (bgl_notice *notice; bgl_notices_next(notices, &notice) == BGL_OK && notice != NULL;) {
            puts(bgl_notice_id(notice));
            kept[many] = notice;
            ids[many++] = bgl_notice_id(notice);
        }
        OK(bgl_notices_ack(ledger, bgl_notices_token(notices), ids, many, NULL));
        while (many > 0)
            OK(bgl_notice_free(kept[--many]));
        OK(bgl_notices_free(notices));
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); /* leaves some for the others */
    }
    OK(bgl_close(ledger));
    return 0;
}
