/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/bus-internal.h"

const BusErrorRow bus_errors[] = {
    { "org.podvisor.Error.NoSuchPod", "There is no pod of this name." },
    { "org.podvisor.Error.NoSuchContainer", "The pod has no container of this name." },
    { "org.podvisor.Error.NotRunning", "This needs a pod that runs." },
    { "org.podvisor.Error.WrongState", "The pod's state does not allow this." },
    { "org.podvisor.Error.Indeterminate",
      "It is not known whether a machine of the pod runs; Adopt or Forget decide." },
    { "org.podvisor.Error.NoDefinition", "The pod's file is gone, or was never right." },
    { "org.podvisor.Error.Refused", "The runner, or podvisord, will not do it; the message says why." },
    { "org.podvisor.Error.Timeout", "The runner, or polkit, did not answer in time." },
    { "org.podvisor.Error.BadDefinition",
      "Of Reload: all files were read, and those that the message names have errors." },
    { "org.freedesktop.DBus.Error.AccessDenied",
      "polkit does not allow it, or is not there and the caller is not root; or nobody may call this." },
    { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
      "polkit would allow it after asking for a password, which the call does not permit." },
    { "org.freedesktop.DBus.Error.LimitsExceeded",
      "The arguments are too long, or too many calls of this caller wait for their permission." },
};
const size_t n_bus_errors = ELEMENTSOF(bus_errors);
