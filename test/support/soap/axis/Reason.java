/** A bean within a bean. */
public class Reason {
    private final String text;

    public Reason(String text) {
        this.text = text;
    }

    public String getText() {
        return text;
    }
}
