/* oxlint-disable eslint/no-var -- as it was published */
// The listener of the public documentation, but for the package's name and where its settings come from.
const WebSocket = require('hyco-rs')

const ns = process.env.SB_HC_NAMESPACE
const path = process.env.SB_HC_PATH
const keyrule = process.env.SB_HC_KEYRULE
const key = process.env.SB_HC_KEY

var wss = WebSocket.createRelayedServer(
    {
        server : WebSocket.createRelayListenUri(ns, path),
        token: function() { return WebSocket.createRelayToken('http://' + ns, keyrule, key); }
    },
    function (ws) {
        console.log('connection accepted');
        ws.onmessage = function (event) {
            console.log(JSON.parse(event.data));
        };
        ws.on('close', function () {
            console.log('connection closed');
        });
});

console.log('listening');

wss.on('error', function(err) {
    console.log('error' + err);
});
