/* SPDX-License-Identifier: Apache-2.0 */
#include <syslog.h>

#include "base/strings.h"
#include "schemas/operator-events.h"

const OperatorEventRow operator_events[OPERATOR_EVENT_MAX] = {
    [EVENT_STARTED] = { "started", "4f8839440a4343ae8a5e2f98cf65ff55", LOG_INFO,
                        "a machine was launched for the pod", "Nothing is to be done." },
    [EVENT_READY] = { "ready", "e68592ba4cf249ceb6c97acd16dcaae9", LOG_INFO,
                      "every container of the pod does what it should", "Nothing is to be done." },
    [EVENT_ENDED] = { "ended", "2da711faa7ed4d569d5d1b6477330f72", LOG_INFO,
                      "the pod's machine ended as it should", "Nothing is to be done." },
    [EVENT_FAILED] = { "failed", "5bcd489fb266496ead046f585fb41b95", LOG_WARNING,
                       "the pod's machine ended as it should not",
                       "`podvisor status POD` shows the cause and the last lines of the guest's console." },
    [EVENT_ADOPTED] = { "adopted", "3b8d27b411794788a6e936ac44388bac", LOG_INFO,
                        "podvisord was restarted and found the pod's runner", "Nothing is to be done." },
    [EVENT_RUNNER_LOST] = { "runner-lost", "a634e85dd2524794827dde0156f59fd1", LOG_WARNING,
                            "the pod's runner ended, while its machine may live; a new one is launched",
                            "Nothing is to be done, unless it happens again and again." },
    [EVENT_INDETERMINATE] = { "indeterminate", "66ba83975e6442ceae21c3797559147e", LOG_ERR,
                              "it cannot be told what runs; nothing is started and nothing is killed",
                              "Look at `podvisor status POD`; then `podvisor adopt POD` or `podvisor forget "
                              "POD`." },
    [EVENT_DEFINITION_BAD] = { "definition-bad", "bcd417703ef04ca29e683b154d8c5914", LOG_ERR,
                               "the pod's file cannot be used; the definition read before goes on",
                               "Correct the file; `podvisor check FILE` tells all that is wrong with it." },
    [EVENT_DEFINITION_CHANGED] = { "definition-changed", "758b3b6d0d1848908ee5bc550b348f76", LOG_INFO,
                                   "a new definition of the pod is taken over", "Nothing is to be done." },
    [EVENT_REMOVED] = { "removed", "87b000ffc4f649fdb87585f89a563d97", LOG_INFO,
                        "the pod's file is gone, and nothing is left of the pod", "Nothing is to be done." },
    [EVENT_DEGRADED] = { "degraded", "cc9b7d04a28d4ff58a10848c921103cb", LOG_ERR,
                         "what podvisord must remember of the pod could not be written",
                         "Make room below the run directory; it is written as soon as that works." },
    [EVENT_HELD] = { "held", "761a9aac6b984792891d106b3c116b9e", LOG_INFO, "an operator stopped the pod",
                     "`podvisor start POD` starts it again." },
    [EVENT_OUTPUT_LOST] = { "output-lost", "64e40ecf53e34baeb0896f0a3d67aa8d", LOG_WARNING,
                            "output of the pod could not be written, and is lost",
                            "Look whether the journal or the log's disk is full (`journalctl --disk-usage`, "
                            "`systemctl status systemd-journald`), or whether the pod writes more than the "
                            "host "
                            "can take." },
    [EVENT_IMAGE_MISSING] = { "image-missing", "315cbc4519384a9d811e7fdda6fb906c", LOG_WARNING,
                              "an image that the pod needs is not in the store; the pod waits for it",
                              "`podvisor image import` adds it; the pod is started then." },
    [EVENT_ORDER_CYCLE] = { "order-cycle", "5dc1d5fc7853499f9a7b0030729c4e44", LOG_ERR,
                            "the pod comes after others that come after it; none of them is started",
                            "Take one of the pods that the message names out of `after` or `requires` of "
                            "another; `podvisor check` tells whether that was enough." },
    [EVENT_CONTAINER_OOM] = { "container-oom", "67d7654c7abb4426b52c5f3b028060c2", LOG_WARNING,
                              "a container was killed for want of memory; its restart policy says what comes",
                              "`podvisor stats POD` shows what it uses: raise its `limits.memory`, or the "
                              "pod's `memory` where it has no limit of its own." },
    [EVENT_UNREADY] = { "unready", "481f83985ffe4f9cb2b6dc951d72c514", LOG_NOTICE,
                        "the pod was ready, and a container of it does not do what it should any more",
                        "`podvisor status POD` shows which one, and why its probe failed, or how it ended; "
                        "`podvisor "
                        "logs POD` what it wrote." },
    [EVENT_LIMITS_CHANGED] = { "limits-changed", "c2b2f30d5f7e4a35b6f1a5b4f1d7c0ee", LOG_INFO,
                               "the containers that run have the limits that the pod's file has now",
                               "Nothing is to be done." },
    [EVENT_LIMITS_REFUSED] = { "limits-refused", "9f6b41c7a0d24c1f8c5e3c1f6b2c8d17", LOG_WARNING,
                               "containers that run keep limits that the pod's file has changed",
                               "Take the limit back, or start the container anew (`podvisor restart POD`), "
                               "which puts the new one on it." },
};

const OperatorEventRow *operator_event_find(const char *message_id)
{
    TABLE_FOREACH (row, operator_events)
        if (streq_ptr(row->message_id, message_id))
            return row;
    return NULL;
}
