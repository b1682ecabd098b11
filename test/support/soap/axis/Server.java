import java.net.InetAddress;
import java.net.ServerSocket;
import org.apache.axis.transport.http.SimpleAxisServer;

/** Axis's own small server, on loopback alone and the port that is its argument. */
public class Server {
    public static void main(String[] arguments) throws Exception {
        SimpleAxisServer server = new SimpleAxisServer();
        int port = Integer.parseInt(arguments[0]);
        server.setServerSocket(new ServerSocket(port, 50, InetAddress.getByName("127.0.0.1")));
        server.run();
    }
}
