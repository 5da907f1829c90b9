/* handlers.h - one function for each row of the route table (routes.h). */
#ifndef VENDGATE_GATEWAY_HANDLERS_H
#define VENDGATE_GATEWAY_HANDLERS_H

struct request;

/* api_txn.c */
void handle_lock(struct request *request);
void handle_paid(struct request *request);
void handle_unlock(struct request *request);
void handle_user_keys(struct request *request);
/* api_search.c */
void handle_search(struct request *request);
void handle_bulk_search(struct request *request);
/* api_status.c */
void handle_txn_status(struct request *request);
/* api_events.c */
void handle_events(struct request *request);
/* private.c */
void handle_metrics(struct request *request);
void handle_livez(struct request *request);
void handle_readyz(struct request *request);
/* admin.c */
void handle_status(struct request *request);
/* admin_acts.c */
void handle_verdict(struct request *request);
void handle_release(struct request *request);

#endif
