/* operator.h - who acts with vendctl, and why; both are kept with the act. */
#ifndef VENDGATE_VENDCTL_OPERATOR_H
#define VENDGATE_VENDCTL_OPERATOR_H

#include "vendctl/invocation.h"

/* The value of --because. NULL: it is not 1 to 200 bytes of printable text, and that was said. */
const char *operator_because(const struct invocation *invocation);
/* The same where it need not be given: then it is NULL too. False: it was said what is wrong. */
bool operator_because_if_given(const struct invocation *invocation, const char **ret_because);
/* Name of the UNIX user, or the number when it has none; the same that the gateway notes of those
 * who ask it. free() the result. */
char *operator_name(void);

#endif
