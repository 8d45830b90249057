/* oxlint-disable eslint/no-var -- as it was published */
// The sender of the public documentation, but for the package's name and where its settings come from.
const WebSocket = require('hyco-rs')
const readline = require('readline')
    .createInterface({
        input: process.stdin,
        output: process.stdout
    });

const ns = process.env.SB_HC_NAMESPACE
const path = process.env.SB_HC_PATH
const keyrule = process.env.SB_HC_KEYRULE
const key = process.env.SB_HC_KEY

WebSocket.relayedConnect(
    WebSocket.createRelaySendUri(ns, path),
    WebSocket.createRelayToken('http://'+ns, keyrule, key),
    function (wss) {
        readline.on('line', (input) => {
            wss.send(input, null);
        });

        console.log('Started client interval.');
        wss.on('close', function () {
            console.log('stopping client interval');
            process.exit();
        });
    }
);
