/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log-query.h"
#include "cli/log-view.h"
#include "cli/pod-wait.h"
#include "cli/verbs.h"

DEFINE_ENUM_TABLE(
    argument_kind, "argument", ARGUMENT_KIND_MAX, [ARGUMENT_NONE] = { "none", "nothing" },
    [ARGUMENT_FILE] = { "file", "a file or directory" }, [ARGUMENT_KEY] = { "key", "a key of a pod file" },
    [ARGUMENT_POD] = { "pod", "a pod's name" },
    [ARGUMENT_CONTAINER] = { "container", "POD or POD/CONTAINER" },
    [ARGUMENT_IMAGE] = { "image", "an image's name" }, [ARGUMENT_BACKEND] = { "backend", "a backend's name" },
    [ARGUMENT_VERB] = { "verb", "a verb of podvisor" });

const Option options[OPTION_MAX] = {
    [OPTION_ROOT] = { "root", 0, OPTION_TEXT, "DIR", NULL,
                      "find definitions, run paths, state and sockets below DIR; also PODVISOR_ROOT" },
    [OPTION_USER] = { "user", 0, OPTION_FLAG, NULL, NULL, "speak with the user's own podvisord" },
    [OPTION_HELP] = { "help", 'h', OPTION_FLAG, NULL, NULL, "show this, and nothing else" },
    [OPTION_VERSION] = { "version", 0, OPTION_FLAG, NULL, NULL, "show podvisor's version" },
    [OPTION_JSON] = { "json", 0, OPTION_WORD, "short|pretty", &json_style_table, "show JSON for programs" },
    [OPTION_NO_LEGEND] = { "no-legend", 0, OPTION_FLAG, NULL, NULL, "leave out headings and summaries" },
    [OPTION_NO_PAGER] = { "no-pager", 0, OPTION_FLAG, NULL, NULL,
                          "write long output straight to the terminal" },
    [OPTION_DAEMON] = { "daemon", 0, OPTION_FLAG, NULL, NULL, "explain podvisord.conf instead of pod files" },
    [OPTION_NO_WAIT] = { "no-wait", 0, OPTION_FLAG, NULL, NULL, "return when podvisord has taken note" },
    [OPTION_TIMEOUT] = { "timeout", 0, OPTION_DURATION, "TIME", NULL,
                         "wait no longer than this: 30s, 5min, infinity" },
    [OPTION_FOR] = { "for", 0, OPTION_WORD, "STATE", &wait_goal_table,
                     "what to wait for: ready (the default), running, stopped, gone, or any state of a pod" },
    [OPTION_PATIENT] = { "patient", 0, OPTION_FLAG, NULL, NULL,
                         "wait also for what does not come without an operator" },

    [OPTION_TERMINAL] = { "terminal", 't', OPTION_FLAG, NULL, NULL,
                          "give the command a terminal of its own" },
    [OPTION_NO_TERMINAL] = { "no-terminal", 'T', OPTION_FLAG, NULL, NULL,
                             "give it none, also from a terminal" },
    [OPTION_ENVIRONMENT] = { "environment", 'e', OPTION_LIST, "NAME=VALUE", NULL,
                             "add to the container's environment" },
    [OPTION_WORKING_DIR] = { "working-dir", 'w', OPTION_TEXT, "DIR", NULL,
                             "start in this directory of the container" },
    [OPTION_AS] = { "as", 'u', OPTION_TEXT, "USER[:GROUP]", NULL, "run as this user of the container" },

    [OPTION_NO_STDIN] = { "no-stdin", 0, OPTION_FLAG, NULL, NULL,
                          "only look; keep standard input to itself" },
    [OPTION_DETACH_KEYS] = { "detach-keys", 0, OPTION_TEXT, "KEYS", NULL,
                             "the keys that leave the container when typed one after the other, instead of "
                             "ctrl-p,ctrl-q; \"\" for none" },

    [OPTION_KEEP_SETUID] = { "keep-setuid", 0, OPTION_FLAG, NULL, NULL,
                             "of what comes out of a container, keep what gives programs power" },

    [OPTION_TAG] = { "tag", 0, OPTION_TEXT, "TAG", NULL,
                     "which image of an OCI layout, or of an archive of docker save, with several" },
    [OPTION_NAME] = { "name", 0, OPTION_TEXT, "NAME", NULL,
                      "what the image is to be called, instead of as in the registry" },
    [OPTION_TLS_VERIFY] = { "tls-verify", 0, OPTION_WORD, "true|false", &truth_table,
                            "whether the registry must have a certificate that this host trusts: true, "
                            "unless "
                            "podvisord.conf has it among its insecure_registries" },
    [OPTION_DRY_RUN] = { "dry-run", 0, OPTION_FLAG, NULL, NULL, "only show what would be done" },
    [OPTION_OLDER_THAN] = { "older-than", 0, OPTION_DURATION, "TIME", NULL,
                            "only what was imported or fetched longer ago: 12h, 30d" },
    [OPTION_CACHED] = { "cached", 0, OPTION_FLAG, NULL, NULL,
                        "also the cached layers of images that are there; a pull of the next version fetches "
                        "them again" },

    [OPTION_FOLLOW] = { "follow", 'f', OPTION_FLAG, NULL, NULL, "show what comes, until interrupted" },
    [OPTION_LINES] = { "lines", 'n', OPTION_NUMBER, "N", NULL,
                       "show at most the last N records; 10 with --follow" },
    [OPTION_SINCE] = { "since", 0, OPTION_TEXT, "TIME", NULL,
                       "show nothing older: 10min, 18:00, 2026-11-23 18:00" },
    [OPTION_UNTIL] = { "until", 0, OPTION_TEXT, "TIME", NULL, "show nothing newer" },
    [OPTION_BOOT] = { "boot", 'b', OPTION_FLAG, NULL, NULL, "show only what is of this boot of the host" },
    [OPTION_PRIORITY] = { "priority", 'p', OPTION_TEXT, "LEVEL", NULL,
                          "show only what is at least so important: err, warning, ... or 0 to 7" },
    [OPTION_STREAM] = { "stream", 0, OPTION_WORD, NULL, &log_query_stream_table,
                        "show what containers wrote (the default), the guest's kernel said, QEMU said, or "
                        "all" },
    [OPTION_OUTPUT] = { "output", 'o', OPTION_WORD, NULL, &log_format_table, "how it is shown" },
    [OPTION_MEMORY] = { "memory", 0, OPTION_FLAG, NULL, NULL,
                        "show what pods cost of the host's memory, part by part" },
};

const Verb verbs[] = {
    { .name = "check",
      .synopsis = "[FILE|DIRECTORY...]",
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_FILE,
      .run = verb_check,
      .help = "check pod files, without podvisord",
      .description =
          "Reads pod files as podvisord would and shows all that is wrong with them, each error with "
          "its file and line. Of a directory, every *.pod in it is read; without arguments, every "
          "directory of definitions. Pods that come after each other in a circle are "
          "found among all that are read. An image that this host has not is a warning, and no error; so "
          "is, where directories are read, a pod that is named and not among them. "
          "Nothing is started or changed." },
    { .name = "explain",
      .synopsis = "[KEY]",
      .max = 1,
      .options = OPTION_BIT(OPTION_DAEMON) | OPTION_BIT(OPTION_NO_PAGER),
      .argument = ARGUMENT_KEY,
      .run = verb_explain,
      .help = "explain a key of a pod file: containers.restart.delay",
      .description = "Shows what a key means, what it accepts, its default, and what a change of it costs a "
                     "running pod. Without a key, all keys of the first level are listed." },
    { .name = "list",
      .synopsis = "",
      .options = OPTIONS_SHOW | OPTION_BIT(OPTION_MEMORY),
      .run = verb_list,
      .help = "list pods",
      .description =
          "Shows all pods: the state, how many containers do what they should, the generation of the "
          "definition, how often the machine was started again after a failure, the processor time over "
          "the machine's life, its resident memory, and since when the state is what it is. With --memory, "
          "what "
          "each pod costs of the host's memory: its guest, its machine's process beside that, its runner, "
          "its "
          "network and its shares. Pages that several of them share are divided among them, so that the sum "
          "is "
          "what is in use. To find it takes longer, some milliseconds for each pod and 15 for each GiB of "
          "its machine." },
    { .name = "status",
      .synopsis = "[POD...]",
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_POD,
      .run = verb_status,
      .help = "show all that is known of pods",
      .description =
          "Shows a page about each pod: its state, file and machine, whether hardware isolates it, its "
          "containers, what it costs of the host's memory, how it ended last, the errors of its file, and "
          "changes "
          "that wait for a restart. "
          "The exit status is 3 when a pod that was named does not run." },
    { .name = "start",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "start pods",
      .description = "Starts pods, lifts the hold of those that an operator has stopped, and resets their "
                     "back-off; with them those that they require. Waits until every container does what it "
                     "should, or says why that does not come to be." },
    { .name = "stop",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "stop pods, and keep them stopped",
      .description =
          "Asks the containers to end, powers the machine off, and holds the pod: podvisord does not start "
          "it by "
          "itself until `podvisor start`. What does not end within the pod's stop_timeout is killed. "
          "Pods that require it end before it, and start again with it." },
    { .name = "restart",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "stop and start pods",
      .description = "Stops the machine and starts a new one, with the definition that is now on disk; "
                     "and so with pods that require it." },
    { .name = "kill",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "end machines at once, and keep the pods stopped",
      .description = "Ends the machine without asking it, and holds the pod as stop does. Pods that require "
                     "it are stopped, and not waited for." },
    { .name = "pause",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "stop the processors of machines",
      .description = "Stops the machine's processors. Nothing inside runs until `podvisor resume`." },
    { .name = "resume",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "let paused machines run on",
      .description = "Lets the processors of a paused machine run on." },
    { .name = "adopt",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "take an indeterminate pod's machine for its own",
      .description = "Of an indeterminate pod: takes the machine for the pod's if it proves its identity." },
    { .name = "forget",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_WAIT,
      .argument = ARGUMENT_POD,
      .run = verb_control,
      .help = "drop what is recorded of an indeterminate pod",
      .description = "Of an indeterminate pod: drops what is recorded of its machine, if nothing runs. Then "
                     "it can be started." },
    { .name = "wait",
      .synopsis = "POD...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .options = OPTION_BIT(OPTION_FOR) | OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_PATIENT),
      .argument = ARGUMENT_POD,
      .run = verb_wait,
      .help = "wait until pods are in a state",
      .description =
          "Waits until every pod is in the state that --for names, also for pods that are not there yet. "
          "Ends with status 3 when that does not come without an operator: the pod is held, failed, has a "
          "file "
          "with errors or is indeterminate. With --patient, an operator is waited for. Without --timeout, it "
          "waits as long as it takes. A podvisord that ends meanwhile may come back within a minute." },
    { .name = "reload",
      .synopsis = "",
      .run = verb_reload,
      .help = "let podvisord read all definitions again",
      .description = "Reads all definitions again, at once. Changes are noticed without this." },
    { .name = "exec",
      .synopsis = "POD[/CONTAINER] [--] COMMAND...",
      .min = 2,
      .max = ARGUMENTS_ANY,
      .options = OPTION_BIT(OPTION_TERMINAL) | OPTION_BIT(OPTION_NO_TERMINAL) |
                 OPTION_BIT(OPTION_ENVIRONMENT) | OPTION_BIT(OPTION_WORKING_DIR) | OPTION_BIT(OPTION_AS),
      .argument = ARGUMENT_CONTAINER,
      .of_program = true,
      .command = true,
      .run = verb_exec,
      .help = "run a command in a container",
      .description = "Runs a command in a container, with the standard streams of this program, byte for "
                     "byte. It gets a terminal when standard input and output are terminals. Signals are "
                     "handed on to it. The exit status is the command's own; 128 and n when signal n ended "
                     "it; 127 when it was not found, 126 when it could not be run, 125 when podvisor itself "
                     "failed or its command line is wrong. The container need not be named where only "
                     "one of them is neither of init nor a sidecar." },
    { .name = "attach",
      .synopsis = "POD[/CONTAINER]",
      .min = 1,
      .max = 1,
      .options = OPTION_BIT(OPTION_NO_STDIN) | OPTION_BIT(OPTION_DETACH_KEYS),
      .argument = ARGUMENT_CONTAINER,
      .of_program = true,
      .run = verb_attach,
      .help = "look at and type into a container's own program",
      .description = "Shows what the program of a container writes from now on, as it comes, and gives it "
                     "standard input "
                     "where the pod file has stdin or terminal for it. ctrl-p and ctrl-q, typed one after "
                     "the other, leave "
                     "it, and it goes on; so does Ctrl-C where it takes no input. Other signals, and Ctrl-C "
                     "where it does, "
                     "are the program's. The exit status is 0 when it was left, else that of the program, as "
                     "exec has it." },
    { .name = "cp",
      .synopsis = "SOURCE DESTINATION",
      .min = 2,
      .max = 2,
      .options = OPTION_BIT(OPTION_KEEP_SETUID),
      .argument = ARGUMENT_FILE,
      .run = verb_cp,
      .help = "copy files into or out of a container",
      .description =
          "Copies a file, or a directory with all that is in it, into a running container or out of it. One "
          "of "
          "the two is POD/CONTAINER:PATH, or POD:PATH where a pod has only one container; its path begins "
          "at the container's root. A path of this host that looks like that begins with ./ or /. "
          "A destination that is a directory gets the source in it, by its name; one that is not there is "
          "what the source becomes. A source that ends with /. is what is in the directory. A dash instead "
          "of the place on this host is a tar archive on standard input or output. Modes, numeric owners, "
          "times, links, holes and extended attributes of users are kept; owners on this host only for "
          "root, and set-user-id bits there only with --keep-setuid. Links are not followed. Devices and "
          "sockets are passed over with a note. Volumes of a container can be copied to even where its "
          "root is read-only." },
    { .name = "top",
      .synopsis = "POD[/CONTAINER]",
      .min = 1,
      .max = 1,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_CONTAINER,
      .run = verb_top,
      .help = "show the processes of containers",
      .description = "Shows the processes of a container, or of all containers of a pod, by the numbers that "
                     "they have inside: "
                     "user, state, processor time, resident memory, age and command line." },
    { .name = "stats",
      .synopsis = "[POD...]",
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_POD,
      .run = verb_stats,
      .help = "show what containers use",
      .description = "Shows what pods and their containers use at this moment, as the kernel of each machine "
                     "counts it: processor "
                     "time over the machine's life, memory with its limit and peak, processes, bytes read "
                     "from and written to "
                     "disks, how many processes were killed for want of memory, and what went through the "
                     "machine's network "
                     "interfaces. Without an argument, of all pods that run. Nothing is counted by polling: "
                     "an agent is asked once." },
    { .name = "analyze",
      .synopsis = "[POD...]",
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_POD,
      .run = verb_analyze,
      .help = "show what the time of a pod's start went into",
      .description = "Shows how long the last start of a pod took, from the change of its file, or an "
                     "operator's word, until every container did what it "
                     "should, and how much of that were podvisord, the runner, QEMU and the guest's kernel, "
                     "the agent, and the containers. "
                     "Of a start that failed or goes on, how far it came. Without an argument, a table of "
                     "all pods. Nothing is measured for this: "
                     "the times are recorded with every start. The exit status is 3 when nothing is known of "
                     "the start of a pod that was named. "
                     "A pod that is called as a word of this verb comes after --." },
    { .name = "analyze blame",
      .synopsis = "POD",
      .min = 1,
      .max = 1,
      .options = OPTION_BIT(OPTION_JSON),
      .argument = ARGUMENT_POD,
      .run = verb_analyze_blame,
      .help = "show the steps of a pod's start, slowest first",
      .description = "Shows every step of the last start of a pod that is known: how long it took since the "
                     "last of those that it waited "
                     "for, whose part it is, and what was then done. Steps of "
                     "containers, and of QEMU and its guest, go on at the same time, so these times add up "
                     "to more than the whole." },
    { .name = "analyze critical-chain",
      .synopsis = "POD",
      .min = 1,
      .max = 1,
      .options = OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_LEGEND),
      .argument = ARGUMENT_POD,
      .run = verb_analyze_chain,
      .help = "show what a pod's start waited for",
      .description = "Shows what the end of the last start of a pod waited for, what that waited for, and so "
                     "on to its beginning. Only what is "
                     "on this chain makes a start shorter when it becomes quicker. What was waited for as "
                     "well, and was there "
                     "earlier, stands beside it." },
    { .name = "analyze plot",
      .synopsis = "POD",
      .min = 1,
      .max = 1,
      .options = OPTION_BIT(OPTION_JSON),
      .argument = ARGUMENT_POD,
      .run = verb_analyze_plot,
      .help = "draw a pod's start as an SVG",
      .description = "Writes the last start of a pod as an SVG to standard output, which may not be a "
                     "terminal: each step is a bar over an "
                     "axis of time, and those of the critical chain are framed." },
    { .name = "agent",
      .synopsis = "POD REQUEST [JSON]",
      .min = 2,
      .max = 3,
      .options = OPTION_BIT(OPTION_JSON),
      .argument = ARGUMENT_NONE,
      .run = verb_agent,
      .help = "ask the agent in a pod's machine, for debugging",
      .description = "Sends one request to the agent in a pod's machine, and shows its answer as JSON. "
                     "Requests are ping, "
                     "processes and statistics. What one is told stands in JSON: {\"container\": \"NAME\"}. "
                     "None changes "
                     "anything." },
    { .name = "logs",
      .synopsis = "POD[/CONTAINER]",
      .min = 1,
      .max = 1,
      .options = OPTIONS_RECORDS | OPTION_BIT(OPTION_STREAM) | OPTION_BIT(OPTION_OUTPUT),
      .argument = ARGUMENT_CONTAINER,
      .run = verb_logs,
      .help = "show what containers wrote",
      .description = "Shows the output of a pod's containers, of earlier runs as well: what they wrote to "
                     "standard output on standard output, the rest on standard error. Where several "
                     "containers wrote, each line begins with the container's name. It comes from the "
                     "journal or from files, whichever podvisord uses, and podvisord need not run. Of a pod "
                     "that has written nothing yet, nothing is shown, which is no failure." },
    { .name = "events",
      .synopsis = "[POD]",
      .max = 1,
      .options = OPTIONS_RECORDS,
      .argument = ARGUMENT_POD,
      .run = verb_events,
      .help = "show what has happened to pods",
      .description =
          "Shows what an operator must know of, of all pods or of one: when it was, the event, and "
          "what it was about. podvisor(7) lists the events and what to do about each. They come from "
          "the journal or from a file, whichever podvisord uses, and podvisord need not run." },
    { .name = "image import",
      .synopsis = "NAME DIRECTORY|FILE",
      .min = 2,
      .max = 2,
      .options = OPTION_BIT(OPTION_TAG) | OPTION_BIT(OPTION_JSON),
      .argument = ARGUMENT_FILE,
      .run = verb_image_import,
      .help = "make an image of a directory, tar, OCI layout or docker save",
      .description =
          "Makes one read-only file of a directory, a tar archive (also compressed), an OCI "
          "layout, or what `docker save` or `podman save` wrote, and gives it a name. What it is, is found "
          "out by its content. Of several images in one, --tag chooses. An image that had the name loses "
          "it. The same files give "
          "the same image. Interrupted at any moment, it leaves nothing." },
    { .name = "image pull",
      .synopsis = "REGISTRY/PATH[:TAG][@DIGEST]",
      .min = 1,
      .max = 1,
      .options = OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_TLS_VERIFY) | OPTION_BIT(OPTION_TIMEOUT) |
                 OPTION_BIT(OPTION_JSON),
      .run = verb_image_pull,
      .help = "fetch an image from a registry",
      .description =
          "Fetches an image from a registry, and gives it the name that it has there. The registry is always "
          "said. With a digest, exactly what that stands for is fetched, and the name is for that "
          "alone. What is here already is not fetched again: neither an image that the registry still has "
          "so, nor "
          "layers that other images or an interrupted pull have brought. Credentials are those of "
          "`skopeo login` and `podman login`. A registry that sends nothing for two minutes is given up." },
    { .name = "image list",
      .synopsis = "",
      .options = OPTIONS_SHOW,
      .run = verb_image_list,
      .help = "list images",
      .description =
          "Shows the images of this host, how much of the disk each takes, which pods run them, and how much "
          "the layers take that pulls have cached. That of an image and that of the layers which it was "
          "made of are two things: `podvisor image prune --cached` gives up the latter." },
    { .name = "image remove",
      .synopsis = "IMAGE...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .argument = ARGUMENT_IMAGE,
      .run = verb_image_remove,
      .help = "remove images that are not in use",
      .description = "By name: takes the name away, and the image too if it has no other. By digest: removes "
                     "the image and all of its names. What is in use is not removed." },
    { .name = "image prune",
      .synopsis = "",
      .options = OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_OLDER_THAN) | OPTION_BIT(OPTION_CACHED) |
                 OPTIONS_SHOW,
      .run = verb_image_prune,
      .help = "remove images and cached layers that nobody needs",
      .description =
          "Removes all images that have no name and are not in use, and shows them; and layers that were "
          "fetched by pulls that were interrupted, or for images that are gone. While a pull is under way, "
          "no layers are removed." },
    { .name = "image tag",
      .synopsis = "IMAGE NAME",
      .min = 2,
      .max = 2,
      .argument = ARGUMENT_IMAGE,
      .run = verb_image_tag,
      .help = "give an image another name",
      .description = "Gives an image one more name. An image that had the name loses it." },
    { .name = "image verify",
      .synopsis = "IMAGE...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .argument = ARGUMENT_IMAGE,
      .run = verb_image_verify,
      .help = "check that images are undamaged",
      .description = "Reads images as a whole and compares them with their digests." },
    { .name = "template list",
      .synopsis = "",
      .options = OPTIONS_SHOW,
      .run = verb_template_list,
      .help = "show the templates that machines start from",
      .description = "Shows the templates that are kept on this host, and those that are being made or could "
                     "not be: of which "
                     "machines they are, what they take of the host's memory, how many spares wait and what "
                     "those take besides, and how many machines were started from each. "
                     "podvisord need not run." },
    { .name = "template build",
      .synopsis = "POD|FILE...",
      .min = 1,
      .max = ARGUMENTS_ANY,
      .argument = ARGUMENT_FILE,
      .run = verb_template_build,
      .help = "make the templates of pods' machines now",
      .description = "Has the template made that machines like those of the pods start from, if there is "
                     "none, and waits until it "
                     "is there. What counts is the pod file as it is now. Without this, a template is made "
                     "when the first pod "
                     "that wants it starts, and that one boots." },
    { .name = "network list",
      .synopsis = "",
      .options = OPTIONS_SHOW,
      .run = verb_network_list,
      .help = "list networks and the addresses of their pods",
      .description =
          "Shows the networks that podvisord manages, which podvisor.pod(5) describes: the bridge, whether "
          "it "
          "is in use, and each pod that has an address there, also while it is stopped. A network that is "
          "gone "
          "goes on for the pods that are on it; one that is changed is as its file says when none is." },
    { .name = "checkpoint show",
      .synopsis = "POD",
      .min = 1,
      .max = 1,
      .options = OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_PAGER),
      .argument = ARGUMENT_POD,
      .run = verb_checkpoint_show,
      .help = "show what is recorded of a pod",
      .description = "Shows every checkpoint of the pod, decoded as JSON, with its envelope; of one that "
                     "cannot be read, why. podvisord need not run." },
    { .name = "doctor",
      .synopsis = "",
      .options = OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_LEGEND),
      .run = verb_doctor,
      .help = "show what this host can do, and what to install",
      .description =
          "Examines this host: whether KVM really runs a machine, QEMU, the guest's kernel, and what else "
          "pods can use. Fails only when something is missing without which no pod runs." },
    { .name = "backends",
      .synopsis = "[NAME]",
      .max = 1,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_BACKEND,
      .run = verb_backends,
      .help = "show what each backend can do on this host",
      .description =
          "Shows the backends: whether a pod can be started with each on this host, else why not, what runs "
          "its "
          "machines, and by which accelerators. Of one that is named, also why others cannot be used, "
          "whether "
          "the daemon that it needs can be reached, and key by key of the pod file what works, what is "
          "without effect and "
          "what is refused. A key stands for those below it. Each backend's own program is asked, for 20 "
          "seconds at "
          "most; podvisord need not run. The exit status is 3 when the one that was named is not usable." },
};
const size_t n_verbs = ELEMENTSOF(verbs);
