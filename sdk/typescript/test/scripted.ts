import { createServer, type Socket } from "node:net";

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  text?: string;
  cut?: boolean;
  drop?: boolean;
  delayMs?: number;
}

/** A server that gives scripted answers, one for each request, and keeps the heads of the requests that it has seen. */
export interface Scripted {
  url: string;
  requests: Record<string, string>[];
  close(): Promise<void>;
}

export async function scripted(answers: Answer[]): Promise<Scripted> {
  const left = [...answers];
  const requests: Record<string, string>[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let data = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", async (piece: Buffer) => {
      data = Buffer.concat([data, piece]);
      for (let end = data.indexOf("\r\n\r\n"); end >= 0; end = data.indexOf("\r\n\r\n")) {
        const fields: Record<string, string> = {};
        for (const line of data.subarray(0, end).toString("latin1").split("\r\n").slice(1)) {
          const colon = line.indexOf(":");
          fields[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
        }
        const whole = end + 4 + Number(fields["content-length"] ?? 0);
        if (data.length < whole) return;
        data = data.subarray(whole);
        requests.push(fields);
        await give(socket, left.shift() ?? { status: 500, text: "no answer is left" });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no address");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        for (const s of sockets) s.destroy();
        server.close(() => resolve());
      }),
  };
}

async function give(socket: Socket, answer: Answer): Promise<void> {
  if (answer.delayMs) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
  if (answer.drop) {
    socket.destroy();
    return;
  }
  const body = Buffer.from(answer.text ?? JSON.stringify(answer.body));
  const headers = { "Content-Length": String(body.length + (answer.cut ? 10 : 0)), ...answer.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(Buffer.concat([Buffer.from(`HTTP/1.1 ${answer.status} X\r\n${lines.join("")}\r\n`), body]));
  if (answer.cut) socket.end();
}
