'use strict'

const { HELP, NETWORK, OUTPUT, SENDER, TARGET, WEBSOCKET, count, seconds } = require('./options')

const SHELLS = ['bash', 'zsh', 'fish']

/**
 * The commands. The parser, `--help`, the completion of shells and the tables of docs/cli.md all
 * come from here.
 *
 * `positionals` are the arguments without dashes; `options` those with them; `run` loads what does
 * the work: a function `(values, positionals, terminal) => exit code`.
 */
const COMMANDS = [
  {
    name: 'listen',
    summary: 'Accept senders: print what they say, echo it, or give it to a program or a server',
    description:
      'Listens on a hybrid connection until you press Ctrl+C. Messages go to standard output, everything else to standard error.',
    positionals: [],
    options: {
      echo: { type: 'boolean', description: 'Send every message back to its sender.' },
      exec: {
        type: 'string',
        value: 'COMMAND',
        description:
          'Run a command for each sender: a message is a line of its input, a line of its output is a message, which is binary if it is no UTF-8. A line of more than 100 MiB ends the command.',
      },
      to: {
        type: 'string',
        value: 'TARGET',
        description:
          "Pass senders and HTTP requests on to a server: PORT or HOST:PORT. TCP connections of 'forward' are told from the others. tcp://HOST:PORT makes a TCP connection of each sender; http:// and https:// serve WebSockets and HTTP requests alone.",
      },
      'strip-path': {
        type: 'boolean',
        description:
          'With --to: let the server see /users for /NAME/users, where NAME is the hybrid connection.',
      },
      ...TARGET,
      ...NETWORK,
      ...OUTPUT,
    },
    examples: [
      ['hyco-rs listen --echo', 'answer every message with itself'],
      ['hyco-rs listen --exec "jq -c .name"', 'answer every JSON text with its name'],
      ['hyco-rs listen --to 127.0.0.1:22', 'let a forwarded port reach the SSH server here'],
      ['hyco-rs listen --to 3000', 'serve the HTTP requests and WebSockets of a web server here'],
      ['hyco-rs listen --to 3000 --strip-path', 'the same for one that knows nothing of the path'],
    ],
    run: () => require('./commands/listen'),
  },
  {
    name: 'connect',
    summary: 'Talk to a listener, line by line',
    description:
      'Connects as a sender. Each line that you type, or that standard input holds, is a message; what the listener says goes to standard output. A line may hold 100 MiB. With --binary the bytes of a line are sent as they are, without LF or CR LF at its end. At the end of the input it closes and waits for what is still under way.',
    positionals: [],
    options: {
      ...SENDER,
      ...WEBSOCKET,
      slash: {
        type: 'boolean',
        description: 'Take lines as /ping [TEXT], /pong [TEXT] and /close [CODE [REASON]].',
      },
      wait: {
        type: 'string',
        value: 'SECONDS',
        read: seconds,
        description: 'How long to stay after the end of the input.',
        default: 'none',
      },
      ...TARGET,
      ...NETWORK,
      ...OUTPUT,
    },
    examples: [
      ['hyco-rs connect --path hyco', 'type and read'],
      ['echo hello | hyco-rs connect', 'send a line, print the answers'],
    ],
    run: () => require('./commands/connect'),
  },
  {
    name: 'send',
    summary: 'Send messages and, if you like, wait for answers',
    description:
      'Sends each MESSAGE, or standard input as one message, and closes. It succeeds when the listener has closed too.',
    positionals: [
      {
        name: 'MESSAGE',
        description: 'a message; without any, standard input is sent as one',
        optional: true,
        variadic: true,
      },
    ],
    options: {
      replies: {
        type: 'string',
        value: 'COUNT',
        read: count,
        description: 'Wait for that many messages of the listener, and print them.',
        default: '0',
      },
      ...SENDER,
      ...WEBSOCKET,
      ...TARGET,
      ...NETWORK,
      ...OUTPUT,
    },
    examples: [
      ['hyco-rs send --replies 1 hello', 'send a text and print the answer'],
      ['hyco-rs send --binary < picture.png', 'send a file as one binary message'],
    ],
    run: () => require('./commands/send'),
  },
  {
    name: 'forward',
    summary: "Make a local TCP port lead to what 'listen --to' reaches",
    description:
      "Listens on a local TCP port. Each connection goes through the relay to a 'listen --to HOST:PORT' on another machine, and from there to that server. It runs until you press Ctrl+C.",
    positionals: [
      {
        name: 'PORT',
        description: 'the local port, or HOST:PORT; 0 takes a free port of 127.0.0.1',
      },
    ],
    options: { ...SENDER, ...TARGET, ...NETWORK, ...OUTPUT },
    examples: [
      ['hyco-rs forward 2222', "with 'hyco-rs listen --to 22' elsewhere: ssh -p 2222 127.0.0.1"],
    ],
    run: () => require('./commands/forward'),
  },
  {
    name: 'http',
    summary: 'Send an HTTP request to a listener, as curl does',
    description:
      'Sends a request to https://NAMESPACE/PATH plus what you give, with a token, and writes the body of the answer to standard output.',
    positionals: [
      {
        name: 'TARGET',
        description: 'path and query below the hybrid connection, as /users?id=1',
        optional: true,
      },
    ],
    options: {
      request: {
        type: 'string',
        short: 'X',
        value: 'METHOD',
        description: 'The method.',
        default: 'GET, or POST with a body',
      },
      data: {
        type: 'string',
        short: 'd',
        value: 'TEXT',
        description: 'The body; @FILE sends a file, @- standard input.',
      },
      header: { ...SENDER.header },
      include: {
        type: 'boolean',
        short: 'i',
        description: 'Write status and headers before the body.',
      },
      output: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        complete: 'file',
        description: 'Write the body to a file.',
      },
      fail: {
        type: 'boolean',
        short: 'f',
        description: 'Exit with 6 if the status is 400 or above.',
      },
      ...TARGET,
      ...NETWORK,
      ...OUTPUT,
    },
    examples: [
      ['hyco-rs http /status', 'GET'],
      ['hyco-rs http /users -d \'{"name":"ada"}\' -H \'Content-Type: application/json\'', 'POST'],
    ],
    run: () => require('./commands/http'),
  },
  {
    name: 'doctor',
    summary: 'Find out why a connection does not work, and what to do',
    description:
      'Checks, one after the other: configuration, proxy, name, TCP, TLS, clock, token, rights, hybrid connection, listeners, and a message there and back.',
    positionals: [
      {
        name: 'CONNECTION_STRING',
        description: 'the same as --connection-string',
        optional: true,
      },
    ],
    options: {
      'round-trip': {
        type: 'string',
        value: 'WHEN',
        choices: ['auto', 'always', 'never'],
        description:
          'Whether to listen for a moment and send oneself a message. auto does so if nobody else listens, since a listener may be given the senders of others.',
        default: 'auto',
      },
      ...TARGET,
      ...NETWORK,
      ...OUTPUT,
    },
    examples: [
      ['hyco-rs doctor', 'with HYCO_CONNECTION_STRING or a .env'],
      ['hyco-rs doctor --json', 'for a health check'],
    ],
    run: () => require('./commands/doctor'),
  },
  {
    name: 'emulator',
    summary: 'Run a local relay, for development and tests',
    description:
      'Starts a relay on this machine and prints what clients need, in the form of a .env. Ports and key are the same at every start. It runs until you press Ctrl+C. Its options are those of the program hyco-relay: hyco-rs emulator --help lists them, and emulator.md explains them.',
    positionals: [],
    options: {},
    raw: true,
    examples: [
      ['hyco-rs emulator >> .env', 'then hyco-rs listen and hyco-rs connect find it'],
      ['hyco-rs emulator --hybrid-connection chat:anonymous', 'without tokens for senders'],
      ['hyco-rs emulator fault drop on=control count=1', 'loses a listener of a relay that runs'],
    ],
    run: () => require('./commands/emulator'),
  },
  {
    name: 'demo',
    summary: 'Relay some messages on this machine, to see that everything works',
    description:
      'Starts a local relay, a listener and a sender, sends three messages there and back, and ends. It needs no configuration and no network.',
    positionals: [],
    options: { json: OUTPUT.json },
    examples: [['hyco-rs demo', 'takes less than a second']],
    run: () => require('./commands/demo'),
  },
  {
    name: 'token',
    summary: 'Print a token',
    description:
      'Signs a token (a shared access signature) with the key of a rule and prints it. Whoever has it has the rights of the rule until it ends.',
    positionals: [
      {
        name: 'URI',
        description: 'what the token is for; by default the hybrid connection, or the namespace',
        optional: true,
      },
    ],
    options: {
      'expires-in': {
        type: 'string',
        value: 'SECONDS',
        read: seconds,
        description: 'How long it is valid.',
        default: '3600',
      },
      ...TARGET,
      json: OUTPUT.json,
    },
    examples: [['hyco-rs token --path hyco', 'a token for one hybrid connection']],
    run: () => require('./commands/token'),
  },
  {
    name: 'uri',
    summary: 'Print the address of a hybrid connection',
    description:
      'Prints the address for other programs: where to listen, where to connect, or where HTTP requests go.',
    positionals: [
      {
        name: 'KIND',
        description: 'listen, connect, http or base',
        choices: ['listen', 'connect', 'http', 'base'],
      },
    ],
    options: {
      'with-token': {
        type: 'boolean',
        description: 'Put a token into the address, for clients that cannot set headers.',
      },
      'expires-in': {
        type: 'string',
        value: 'SECONDS',
        read: seconds,
        description: 'How long that token is valid.',
        default: '3600',
      },
      suffix: SENDER.suffix,
      ...TARGET,
      json: OUTPUT.json,
    },
    examples: [
      ['hyco-rs uri connect --with-token', 'an address for new WebSocket(…) in a browser'],
    ],
    run: () => require('./commands/uri'),
  },
  {
    name: 'completion',
    summary: 'Print a script that completes commands and options in your shell',
    description: 'Prints the script; the examples show where each shell wants it.',
    positionals: [{ name: 'SHELL', description: 'bash, zsh or fish', choices: SHELLS }],
    options: {},
    examples: [
      ['source <(hyco-rs completion bash)', 'in ~/.bashrc'],
      ['hyco-rs completion zsh > "${fpath[1]}/_hyco-rs"', 'once'],
      ['hyco-rs completion fish > ~/.config/fish/completions/hyco-rs.fish', 'once'],
    ],
    run: () => require('./commands/completion'),
  },
]

for (const command of COMMANDS) command.options = { ...command.options, ...HELP }

/**
 * @param {String} name
 * @return {(Object|undefined)} The command of that name
 */
function findCommand(name) {
  return COMMANDS.find((command) => command.name === name)
}

module.exports = { COMMANDS, findCommand }
