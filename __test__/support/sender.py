# A sender in Python, which trusts CA and sends to URI, of the environment.
import asyncio, os, ssl
import websockets

async def main():
    uri, ca = os.environ["URI"], os.environ.get("CA")
    trust = ssl.create_default_context(cadata=ca) if ca else None
    options = {"ssl": trust} if trust else {}
    async with websockets.connect(uri, subprotocols=["py"], max_size=None, **options) as socket:
        assert socket.subprotocol == "py", socket.subprotocol
        await socket.send("grüße")
        assert await socket.recv() == "grüße"
        data = bytes(range(256)) * 1000
        await socket.send(data)
        assert await socket.recv() == data
        async def pieces():
            yield "one "
            yield "two"
        await socket.send(pieces())
        assert await socket.recv() == "one two"
        await (await socket.ping())
        await socket.close(4003, "from python")
    try:
        await websockets.connect(uri.split("?")[0] + "?sb-hc-action=connect", **options)
    except websockets.InvalidStatus as error:
        assert error.response.status_code == 401, error
    else:
        raise AssertionError("accepted without a token")

asyncio.run(main())
