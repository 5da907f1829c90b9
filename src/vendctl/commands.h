/* commands.h - what vendctl can do; one function a command, one file a noun. */
#ifndef VENDGATE_VENDCTL_COMMANDS_H
#define VENDGATE_VENDCTL_COMMANDS_H

#include "vendctl/invocation.h"

/* house.c */
int command_migrate(struct invocation *invocation);
int command_maintain(struct invocation *invocation);
int command_instances(struct invocation *invocation);

/* integrator.c */
int command_integrator_add(struct invocation *invocation);
int command_integrator_list(struct invocation *invocation);
int command_integrator_show(struct invocation *invocation);
int command_integrator_set(struct invocation *invocation);
int command_integrator_enable(struct invocation *invocation);
int command_integrator_disable(struct invocation *invocation);
int command_key_add(struct invocation *invocation);
int command_key_revoke(struct invocation *invocation);

/* signing.c */
int command_integrator_key_rotate(struct invocation *invocation);
int command_integrator_key_list(struct invocation *invocation);
int command_integrator_key_retire(struct invocation *invocation);
/* Of `integrator set`: whether its endpoint verifies v1a, so that v1 is left out. An exit status.
 */
int signing_set_v1a_only(struct invocation *invocation, const char *yes_or_no);

/* secret.c */
int command_secret_init(struct invocation *invocation);
int command_secret_seal(struct invocation *invocation);

/* endpoint.c */
int command_integrator_endpoint(struct invocation *invocation);

/* machine.c */
int command_machine_add(struct invocation *invocation);
int command_machine_list(struct invocation *invocation);
int command_machine_show(struct invocation *invocation);
int command_machine_set(struct invocation *invocation);
int command_machine_enable(struct invocation *invocation);
int command_machine_disable(struct invocation *invocation);
int command_machine_enroll(struct invocation *invocation);
int command_machine_token(struct invocation *invocation);
int command_machine_revoke(struct invocation *invocation);

/* group.c */
int command_group_add(struct invocation *invocation);
int command_group_set(struct invocation *invocation);
int command_group_list(struct invocation *invocation);

/* grant.c */
int command_grant(struct invocation *invocation);
int command_revoke(struct invocation *invocation);

/* ca_commands.c */
int command_ca_init(struct invocation *invocation);
int command_ca_server(struct invocation *invocation);

/* audit.c */
int command_audit(struct invocation *invocation);

/* txn.c */
int command_txn_show(struct invocation *invocation);
int command_txn_list(struct invocation *invocation);
int command_doubt_list(struct invocation *invocation);
int command_adjustment_list(struct invocation *invocation);
int command_adjustment_settle(struct invocation *invocation);
int command_callbacks(struct invocation *invocation);

/* callback.c */
int command_callback_list(struct invocation *invocation);
int command_callback_show(struct invocation *invocation);
int command_callback_skip(struct invocation *invocation);
int command_callback_acknowledge(struct invocation *invocation);
int command_callback_hold(struct invocation *invocation);
int command_callback_release(struct invocation *invocation);
int command_callback_test(struct invocation *invocation);

/* replay.c */
int command_callback_replay(struct invocation *invocation);

/* feed.c */
int command_feed_list(struct invocation *invocation);
int command_feed_subscribe(struct invocation *invocation);
int command_feed_unsubscribe(struct invocation *invocation);

/* live.c */
int command_txn_verdict(struct invocation *invocation);
int command_machine_release(struct invocation *invocation);

#endif
