/* reformerc train --dry-run: what a training would cost, before anything of it is done (train.h).
 *
 * In: the plan. Out, on stdout: parameters, work, memory by what holds it, and the time that the machine at hand would
 * take, if it is one that the plan's target runs on. */
#include <math.h>

#include "commands/calibrate.h"
#include "commands/document.h"
#include "commands/explain.h"
#include "commands/train.h"

typedef struct {
    double parameters, trained;        /* numbers */
    double weights, gradients, params; /* bytes */
    double state, workspace;
} bill_t;
