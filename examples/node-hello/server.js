// A web app in one file: it says hello, and stops taking requests when it is told to.
const express = require("express");

const app = express();
app.get("/", (request, response) => {
  response.type("text").send(`Hello from ${process.env.PS}, release ${process.env.MINI_RELEASE}\n`);
});

const server = app.listen(process.env.PORT, process.env.HOST, () => {
  console.log(`listening on ${process.env.PORT}`);
});
process.on("SIGTERM", () => server.close(() => process.exit(0)));
