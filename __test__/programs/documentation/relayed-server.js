/* oxlint-disable eslint/no-var -- as it was published */
// The constructor form of the public documentation, with the three events it describes.
var ws = require('hyco-rs');
var server = ws.RelayedServer;

const ns = process.env.SB_HC_NAMESPACE
const path = process.env.SB_HC_PATH
const keyrule = process.env.SB_HC_KEYRULE
const key = process.env.SB_HC_KEY

var wss = new server(
    {
        server : ws.createRelayListenUri(ns, path),
        token: function() { return ws.createRelayToken('http://' + ns, keyrule, key); }
    });

wss.on('headers', function (headers) {
    console.log('headers ' + Array.isArray(headers));
});

wss.on('connection', function (socket) {
    console.log('connection');
    socket.on('message', function (message) {
        socket.send('echo ' + message);
        wss.close();
    });
});

wss.on('error', function (error) {
    console.log('error ' + error);
});

wss.on('listening', function () {
    console.log('listening');
});
